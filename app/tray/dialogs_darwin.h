// AppKit's dialogs, for Go. A call returns at once; its answer comes later, on the main thread. See dialogs_darwin.m.
#pragma once
#include <stdint.h>

void dialogFolder(uint64_t call, const char *title, const char *start);
void dialogAlert(uint64_t call, const char *title, const char *text, const char *yes, const char *cancel); // no cancel: one button
void dialogClose(uint64_t call);

// In Go; it copies what it is given. button: 1 for yes, 0 for no; path: the folder; problem: why nothing was asked.
void dialogAnswered(uint64_t call, int button, char *path, char *problem);

// The macOS notification center, for Go: nothing of Objective-C is seen from outside. See notices_darwin.m for the threads.
#pragma once
#include <stdint.h>

int noticesBegin(const char *restartTitle, const char *logTitle);
void noticesAsk(uint64_t call);
void noticesState(uint64_t call);
void noticesShow(uint64_t call, const char *identifier, const char *title, const char *body, const char *backend, int buttons);

void activityBegin(void);
void activityEnd(void);
void *sleeplessBegin(const char *why);
void sleeplessEnd(void *activity);

// In Go, and called on any thread; they copy what they are given.
void noticesAnswered(uint64_t call, char *problem);
void noticesClicked(char *backend, char *action);

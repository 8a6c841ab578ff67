// What a Mac's menu bar needs beside systray, for Go: see bar_darwin.m.
#pragma once

void barPrepare(void); // before the loop, on the main thread
void barDress(void);   // once the menu is built; any thread

// In Go, and called on the main thread.
void barReopened(void);
void barSeen(int visible);

// What the harness of the dialogs needs to know of its own stand-in for AppKit.
#pragma once

enum { personAnswers, personThinks, panelRaises }; // what happens once a dialog is shown
void dialogsAre(int mode, long response, const char *path);
int dialogsShown(void);    // modal loops that have begun
const char *dialogText(void); // what the last one said
void serve(void);          // the main thread's loop, until enough is called
void enough(void);

// What the harness needs to know of its own stubs of Apple's frameworks.
#pragma once
#include <stdint.h>

// How UserNotifications behaves from now on.
enum {
	centerWell,       // grants, shows
	centerDenies,     // a person said no
	centerUndecided,  // nobody was asked
	centerErrors,     // an NSError instead of an answer
	centerNoText,     // an NSError whose description is nil
	centerRaisesCall, // an exception from the call
	centerRaisesLate, // an exception from the call after the settings were read
	centerMissing,    // no center: what is not an app has none
	centerRaisesGet,  // an exception instead of the center
	centerLater,      // answers on another thread, after a moment
};
void centerIs(int mode);
int centerShown(void); // notices shown so far
void centerClick(const char *thread, const char *action); // as a click: nil for NULL
const char *centerLast(void); // title|body|thread|category of the last notice

// How ServiceManagement behaves from now on.
enum {
	serviceWell,
	serviceRefuses,         // registering is an error, as without a Developer ID
	serviceRefusesSilently, // no, and no reason
	serviceApproval,        // registered, and a person has yet to say yes
	serviceRaises,          // exceptions
	serviceStrange,         // a status of a newer macOS
	serviceOld,             // it knows no such method
};
void serviceIs(int mode, int status);
int serviceSettingsOpened(void);

// Launch at login by SMAppService, for Go: macOS 13 and later, from the bundle. See login_darwin.m.
#pragma once

// What macOS says of the login item: SMAppServiceStatus, or that there is no such service here.
enum { loginUnavailable = -1, loginNotRegistered = 0, loginEnabled = 1, loginRequiresApproval = 2, loginNotFound = 3, loginFailed = -2 };

int loginState(const char *plist, char **problem);
int loginRegister(const char *plist, char **problem);   // the state after it
int loginUnregister(const char *plist, char **problem); // the state after it
// What macOS says of a launch agent in a file, as those of macOS 12 are.
int loginLegacyState(const char *path, char **problem);
void loginOpenSettings(void);

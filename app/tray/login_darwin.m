// Launch at login by SMAppService.
//
// The class came with macOS 13, and the app runs on 12, where dyld would refuse a program that names it: it is looked up by its name, in a
// framework that is opened while the program runs. Its methods are declared here, as Apple documents them, and each is asked for before
// it is called. Apple allows the calls from any thread; they talk to a daemon and may take a while, so Go calls them from where it may
// wait. A problem is a text that the caller frees; an exception is one, too.
#import <Foundation/Foundation.h>
#import <objc/runtime.h>

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "login_darwin.h"

// developer.apple.com/documentation/servicemanagement/smappservice
@protocol VivariumLoginService <NSObject>
- (NSInteger)status;
- (BOOL)registerAndReturnError:(NSError **)error;
- (BOOL)unregisterAndReturnError:(NSError **)error;
@end

@protocol VivariumLoginServices <NSObject>
- (id<VivariumLoginService>)agentServiceWithPlistName:(NSString *)name;
- (NSInteger)statusForLegacyURL:(NSURL *)url;
- (void)openSystemSettingsLoginItems;
@end

static NSString *string(const char *text) {
	return [[NSString alloc] initWithCString:text encoding:NSUTF8StringEncoding];
}

static void tell(char **problem, id what) {
	const char *text = [what description].UTF8String;
	*problem = strdup(text == NULL ? "unknown" : text);
}

// services is the class, or nil before macOS 13.
static id<VivariumLoginServices> services(SEL method) {
	dlopen("/System/Library/Frameworks/ServiceManagement.framework/ServiceManagement", RTLD_LAZY);
	id class = objc_getClass("SMAppService");
	return [class respondsToSelector:method] ? class : nil;
}

static int known(NSInteger status) {
	return status >= loginNotRegistered && status <= loginNotFound ? (int)status : loginFailed;
}

static id<VivariumLoginService> service(const char *plist, SEL method) {
	id<VivariumLoginService> one = [services(@selector(agentServiceWithPlistName:)) agentServiceWithPlistName:string(plist)];
	return [one respondsToSelector:method] ? one : nil;
}

int loginState(const char *plist, char **problem) {
	*problem = NULL;
	@autoreleasepool {
		@try {
			id<VivariumLoginService> one = service(plist, @selector(status));
			return one == nil ? loginUnavailable : known([one status]);
		} @catch (id e) {
			tell(problem, e);
			return loginFailed;
		}
	}
}

// change registers or unregisters. What macOS says of it afterwards counts more than what the call returned: registering what is registered
// is an error to macOS, and none to a person.
static int change(const char *plist, SEL method, BOOL on, char **problem) {
	*problem = NULL;
	@autoreleasepool {
		@try {
			id<VivariumLoginService> one = service(plist, method);
			if (one == nil) return loginUnavailable;
			NSError *error = nil;
			BOOL done = on ? [one registerAndReturnError:&error] : [one unregisterAndReturnError:&error];
			if (!done) tell(problem, error == nil ? (id)@"no reason was given" : error);
			return known([one status]);
		} @catch (id e) {
			if (*problem == NULL) tell(problem, e);
			return loginFailed;
		}
	}
}

int loginRegister(const char *plist, char **problem) {
	return change(plist, @selector(registerAndReturnError:), YES, problem);
}

int loginUnregister(const char *plist, char **problem) {
	return change(plist, @selector(unregisterAndReturnError:), NO, problem);
}

int loginLegacyState(const char *path, char **problem) {
	*problem = NULL;
	@autoreleasepool {
		@try {
			id<VivariumLoginServices> all = services(@selector(statusForLegacyURL:));
			return all == nil ? loginUnavailable : known([all statusForLegacyURL:[objc_getClass("NSURL") fileURLWithPath:string(path)]]);
		} @catch (id e) {
			tell(problem, e);
			return loginFailed;
		}
	}
}

void loginOpenSettings(void) {
	@autoreleasepool {
		@try {
			[services(@selector(openSystemSettingsLoginItems)) openSystemSettingsLoginItems];
		} @catch (id e) {
		}
	}
}

// Notices by macOS's notification center, with buttons.
//
// Threads: Apple allows these calls from any thread, and runs the blocks and the delegate's methods on threads of its own choice.
// So nothing here touches AppKit or keeps state but the delegate, which is set once, on the main thread, before the app has finished
// launching, as Apple demands. What comes back goes to Go as an answer to a numbered call; Go never waits for it on the main thread.
// An exception must not unwind through Go: each function that Go calls catches all, and so does each block that calls Go.
#import <Foundation/Foundation.h>
#import <UserNotifications/UserNotifications.h>
#import <objc/runtime.h>

#include "notices_darwin.h"

static NSString *const category = @"backend";

static NSString *string(const char *text) {
	return [[NSString alloc] initWithCString:text encoding:NSUTF8StringEncoding];
}

// answer tells Go how a call went; a nil problem is success.
static void answer(uint64_t call, id problem) {
	@autoreleasepool {
		const char *text = problem == nil ? "" : [problem description].UTF8String;
		noticesAnswered(call, text == NULL ? "unknown" : (char *)text);
	}
}

@interface VivariumNotices : NSObject <UNUserNotificationCenterDelegate>
@end

@implementation VivariumNotices

// Without this macOS shows nothing while it takes Vivarium for the active app, as after a click on its menu.
- (void)userNotificationCenter:(UNUserNotificationCenter *)center
       willPresentNotification:(UNNotification *)notification
         withCompletionHandler:(void (^)(UNNotificationPresentationOptions))handler {
	(void)center;
	(void)notification;
	handler(UNNotificationPresentationOptionBanner | UNNotificationPresentationOptionList);
}

- (void)userNotificationCenter:(UNUserNotificationCenter *)center
    didReceiveNotificationResponse:(UNNotificationResponse *)response
             withCompletionHandler:(void (^)(void))handler {
	(void)center;
	@try {
		const char *backend = response.notification.request.content.threadIdentifier.UTF8String;
		const char *action = response.actionIdentifier.UTF8String;
		if (backend != NULL && action != NULL) noticesClicked((char *)backend, (char *)action);
	} @catch (id e) {
	}
	handler();
}

@end

static VivariumNotices *delegate; // the center itself only has a weak reference

// noticesBegin makes us the delegate and names the buttons. 0: macOS has no notification center for this process.
int noticesBegin(const char *restartTitle, const char *logTitle) {
	@autoreleasepool {
		@try {
			UNUserNotificationCenter *center = UNUserNotificationCenter.currentNotificationCenter;
			if (center == nil) return 0;
			UNNotificationAction *restart = [UNNotificationAction actionWithIdentifier:@"restart"
			                                                                     title:string(restartTitle)
			                                                                   options:UNNotificationActionOptionNone];
			UNNotificationAction *log = [UNNotificationAction actionWithIdentifier:@"log"
			                                                                 title:string(logTitle)
			                                                               options:UNNotificationActionOptionNone];
			UNNotificationCategory *backend = [UNNotificationCategory categoryWithIdentifier:category
			                                                                         actions:@[ restart, log ]
			                                                               intentIdentifiers:[NSArray array]
			                                                                         options:UNNotificationCategoryOptionNone];
			// By name: which library exports the class is Apple's business.
			[center setNotificationCategories:[objc_getClass("NSSet") setWithObject:backend]];
			delegate = [VivariumNotices new];
			center.delegate = delegate;
			return 1;
		} @catch (id e) {
			return 0;
		}
	}
}

// noticesAsk asks the person, if nobody did before; otherwise macOS answers as it was answered then.
void noticesAsk(uint64_t call) {
	@autoreleasepool {
		@try {
			[UNUserNotificationCenter.currentNotificationCenter
			    requestAuthorizationWithOptions:UNAuthorizationOptionAlert
			                  completionHandler:^(BOOL granted, NSError *error) {
				if (error != nil) answer(call, error);
				else answer(call, granted ? nil : @"denied");
			}];
		} @catch (id e) {
			answer(call, e);
		}
	}
}

// allowed says what a setting means to a notice; nil is yes.
static id allowed(UNNotificationSettings *settings) {
	switch (settings.authorizationStatus) {
	case UNAuthorizationStatusNotDetermined: return @"undecided";
	case UNAuthorizationStatusDenied: return @"denied";
	default: return nil;
	}
}

// noticesState tells whether notices are allowed, and asks nobody.
void noticesState(uint64_t call) {
	@autoreleasepool {
		@try {
			[UNUserNotificationCenter.currentNotificationCenter
			    getNotificationSettingsWithCompletionHandler:^(UNNotificationSettings *settings) { answer(call, allowed(settings)); }];
		} @catch (id e) {
			answer(call, e);
		}
	}
}

static void add(uint64_t call, UNNotificationRequest *request) {
	@try {
		[UNUserNotificationCenter.currentNotificationCenter addNotificationRequest:request
		                                                     withCompletionHandler:^(NSError *error) { answer(call, error); }];
	} @catch (id e) {
		answer(call, e);
	}
}

// noticesShow shows a notice, if that is allowed. The backend's folder travels as the thread: macOS keeps what is about the same one together.
void noticesShow(uint64_t call, const char *identifier, const char *title, const char *body, const char *backend, int buttons) {
	@autoreleasepool {
		@try {
			UNMutableNotificationContent *content = [UNMutableNotificationContent new];
			content.title = string(title);
			content.body = string(body);
			content.threadIdentifier = string(backend);
			if (buttons) content.categoryIdentifier = category;
			UNNotificationRequest *request = [UNNotificationRequest requestWithIdentifier:string(identifier) content:content trigger:nil];
			[UNUserNotificationCenter.currentNotificationCenter getNotificationSettingsWithCompletionHandler:^(UNNotificationSettings *settings) {
				id problem = allowed(settings);
				if (problem != nil) answer(call, problem);
				else add(call, request);
			}];
		} @catch (id e) {
			answer(call, e);
		}
	}
}

static id activity;

// activityBegin and activityEnd are for one thread at a time. The Mac may sleep meanwhile: only our timers are to be on time.
void activityBegin(void) {
	@autoreleasepool {
		@try {
			if (activity == nil)
				activity = [[objc_getClass("NSProcessInfo") processInfo] beginActivityWithOptions:NSActivityUserInitiatedAllowingIdleSystemSleep
				                                                                          reason:@"A Python backend is watched"];
		} @catch (id e) {
		}
	}
}

void activityEnd(void) {
	@autoreleasepool {
		@try {
			if (activity != nil) [[objc_getClass("NSProcessInfo") processInfo] endActivity:activity];
		} @catch (id e) {
		}
		activity = nil;
	}
}

// sleeplessBegin and sleeplessEnd keep the Mac from idle sleep for one backend; NULL: it could not be had.
void *sleeplessBegin(const char *why) {
	@autoreleasepool {
		@try {
			id one = [[objc_getClass("NSProcessInfo") processInfo] beginActivityWithOptions:NSActivityIdleSystemSleepDisabled reason:string(why)];
			return (__bridge_retained void *)one;
		} @catch (id e) {
		}
		return NULL;
	}
}

void sleeplessEnd(void *one) {
	@autoreleasepool {
		@try {
			[[objc_getClass("NSProcessInfo") processInfo] endActivity:(__bridge_transfer id)one];
		} @catch (id e) {
		}
	}
}

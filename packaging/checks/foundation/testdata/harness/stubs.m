// Stand-ins for UserNotifications and ServiceManagement, as far as the app uses them: the interface is that of the project's own
// declarations, the behaviour is set by the harness. Without reference counting nothing is ever freed here.
#import <Foundation/Foundation.h>
#import <UserNotifications/UserNotifications.h>

#include <Block.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "stubs.h"

static atomic_int mode, shown, opened;
static pthread_mutex_t lastLock = PTHREAD_MUTEX_INITIALIZER;
static char last[512], lastCopy[512];

void centerIs(int m) { mode = m; }
int centerShown(void) { return shown; }

@interface Nothing : NSObject
@end
@implementation Nothing
- (NSString *)description { return nil; }
@end

static NSError *trouble(void) {
	if (mode == centerNoText) return (NSError *)[Nothing new];
	return [[NSError alloc] initWithDomain:@"UNErrorDomain" code:1 userInfo:nil];
}

// later runs a block on another thread, as Apple does.
static void *runLater(void *block) {
	NSAutoreleasePool *pool = [NSAutoreleasePool new];
	usleep(1000);
	((void (^)(void))block)();
	[pool drain];
	return NULL;
}

static void later(void (^block)(void)) {
	if (mode != centerLater) {
		block();
		return;
	}
	pthread_t thread;
	if (pthread_create(&thread, NULL, runLater, Block_copy(block)) == 0) pthread_detach(thread);
}

@implementation UNNotificationSettings
- (UNAuthorizationStatus)authorizationStatus {
	switch ((int)mode) {
	case centerDenies: return UNAuthorizationStatusDenied;
	case centerUndecided: return UNAuthorizationStatusNotDetermined;
	default: return 2; // authorized
	}
}
@end

@implementation UNNotificationContent
- (NSString *)threadIdentifier { return nil; }
@end

// Under this runtime only a class's own declaration can give it variables, so each has a subclass that holds what it is given.
@interface Content : UNMutableNotificationContent {
	NSString *title, *body, *categoryIdentifier, *threadIdentifier;
}
@end

@implementation UNMutableNotificationContent
@dynamic title, body, categoryIdentifier, threadIdentifier;
+ (id)alloc { return self == [UNMutableNotificationContent class] ? [Content alloc] : [super alloc]; }
@end

@implementation Content
@synthesize title, body, categoryIdentifier, threadIdentifier;
@end

@interface Request : UNNotificationRequest {
	@public UNNotificationContent *held;
}
@end

@implementation UNNotificationRequest
- (UNNotificationContent *)content { return nil; }
+ (instancetype)requestWithIdentifier:(NSString *)identifier content:(UNNotificationContent *)content trigger:(UNNotificationTrigger *)trigger {
	(void)trigger;
	if ([identifier length] == 0) [NSException raise:NSInvalidArgumentException format:@"an identifier is needed"];
	Request *one = [Request new];
	one->held = [content retain];
	return one;
}
@end

@implementation Request
- (UNNotificationContent *)content { return held; }
@end

@implementation UNNotification
- (UNNotificationRequest *)request { return nil; }
@end

@interface Clicked : UNNotification {
	@public UNNotificationRequest *held;
}
@end

@implementation Clicked
- (UNNotificationRequest *)request { return held; }
@end

@implementation UNNotificationResponse
- (UNNotification *)notification { return nil; }
- (NSString *)actionIdentifier { return nil; }
@end

@implementation UNNotificationAction
+ (instancetype)actionWithIdentifier:(NSString *)identifier title:(NSString *)title options:(UNNotificationActionOptions)options {
	(void)options;
	if (identifier == nil || title == nil) [NSException raise:NSInvalidArgumentException format:@"nil"];
	return [UNNotificationAction new];
}
@end

@implementation UNNotificationCategory
+ (instancetype)categoryWithIdentifier:(NSString *)identifier
                               actions:(NSArray *)actions
                     intentIdentifiers:(NSArray *)intentIdentifiers
                               options:(UNNotificationCategoryOptions)options {
	(void)identifier; (void)intentIdentifiers; (void)options;
	if ([actions count] != 2) [NSException raise:NSInvalidArgumentException format:@"two actions"];
	return [UNNotificationCategory new];
}
@end

static UNUserNotificationCenter *center;
static id<UNUserNotificationCenterDelegate> centerDelegate;

@implementation UNUserNotificationCenter
+ (UNUserNotificationCenter *)currentNotificationCenter {
	if (mode == centerRaisesGet) [NSException raise:NSInternalInconsistencyException format:@"bundleProxyForCurrentProcess is nil"];
	if (mode == centerMissing) return nil;
	@synchronized(self) {
		if (center == nil) center = [UNUserNotificationCenter new];
	}
	return center;
}
- (id<UNUserNotificationCenterDelegate>)delegate { return centerDelegate; }
- (void)setDelegate:(id<UNUserNotificationCenterDelegate>)d { centerDelegate = d; }
- (void)setNotificationCategories:(NSSet *)categories {
	if ([categories count] != 1) [NSException raise:NSInvalidArgumentException format:@"one category"];
}
- (void)requestAuthorizationWithOptions:(UNAuthorizationOptions)options completionHandler:(void (^)(BOOL, NSError *))handler {
	(void)options;
	if (mode == centerRaisesCall) [NSException raise:NSInternalInconsistencyException format:@"not today"];
	void (^copy)(BOOL, NSError *) = Block_copy(handler);
	later(^{
		BOOL granted = mode != centerDenies && mode != centerErrors && mode != centerNoText;
		copy(granted, mode == centerErrors || mode == centerNoText ? trouble() : nil);
	});
}
- (void)getNotificationSettingsWithCompletionHandler:(void (^)(UNNotificationSettings *))handler {
	if (mode == centerRaisesCall) [NSException raise:NSInternalInconsistencyException format:@"not today"];
	void (^copy)(UNNotificationSettings *) = Block_copy(handler);
	later(^{ copy([UNNotificationSettings new]); });
}
- (void)addNotificationRequest:(UNNotificationRequest *)request withCompletionHandler:(void (^)(NSError *))handler {
	if (mode == centerRaisesLate) [NSException raise:NSInternalInconsistencyException format:@"not now"];
	UNMutableNotificationContent *c = (UNMutableNotificationContent *)request.content;
	pthread_mutex_lock(&lastLock);
	snprintf(last, sizeof last, "%s|%s|%s|%s", [c.title UTF8String], [c.body UTF8String], [c.threadIdentifier UTF8String],
	         c.categoryIdentifier == nil ? "" : [c.categoryIdentifier UTF8String]);
	pthread_mutex_unlock(&lastLock);
	void (^copy)(NSError *) = Block_copy(handler);
	later(^{
		if (mode == centerErrors || mode == centerNoText) {
			copy(trouble());
			return;
		}
		shown++;
		copy(nil);
	});
}
@end

const char *centerLast(void) {
	pthread_mutex_lock(&lastLock);
	memcpy(lastCopy, last, sizeof last);
	pthread_mutex_unlock(&lastLock);
	return lastCopy;
}

@interface ClickedContent : UNNotificationContent {
	@public NSString *thread;
}
@end
@implementation ClickedContent
- (NSString *)threadIdentifier {
	if ([thread isEqual:@"raise"]) [NSException raise:NSInternalInconsistencyException format:@"no thread"];
	return thread;
}
@end

@interface ClickedResponse : UNNotificationResponse {
	@public NSString *clicked;
	UNNotification *of;
}
@end
@implementation ClickedResponse
- (UNNotification *)notification { return of; }
- (NSString *)actionIdentifier { return clicked; }
@end

static atomic_int handled;

void centerClick(const char *thread, const char *action) {
	NSAutoreleasePool *pool = [NSAutoreleasePool new];
	ClickedContent *content = [ClickedContent new];
	content->thread = thread == NULL ? nil : [[NSString alloc] initWithUTF8String:thread];
	Clicked *notification = [Clicked new];
	notification->held = [UNNotificationRequest requestWithIdentifier:@"x" content:content trigger:nil];
	ClickedResponse *response = [ClickedResponse new];
	response->of = notification;
	response->clicked = action == NULL ? nil : [[NSString alloc] initWithUTF8String:action];
	int before = handled;
	[center.delegate userNotificationCenter:center didReceiveNotificationResponse:response withCompletionHandler:^{ handled++; }];
	if (handled != before + 1) abort(); // macOS waits for it
	[center.delegate userNotificationCenter:center willPresentNotification:notification withCompletionHandler:^(UNNotificationPresentationOptions o) {
		if (o != (UNNotificationPresentationOptionBanner | UNNotificationPresentationOptionList)) abort();
	}];
	[pool drain];
}

static atomic_int service, status;

void serviceIs(int m, int s) { service = m; status = s; }
int serviceSettingsOpened(void) { return opened; }

@interface SMAppService : NSObject
@end

@implementation SMAppService
+ (BOOL)respondsToSelector:(SEL)method { return service == serviceOld ? NO : [super respondsToSelector:method]; }
+ (id)agentServiceWithPlistName:(NSString *)name {
	if (service == serviceRaises) [NSException raise:NSInternalInconsistencyException format:@"%@ is not in the bundle", name];
	return [SMAppService new];
}
+ (NSInteger)statusForLegacyURL:(NSURL *)url {
	if (service == serviceRaises) [NSException raise:NSInternalInconsistencyException format:@"%@", [url path]];
	return [[url path] hasPrefix:@"/Users/"] ? status : 3;
}
+ (void)openSystemSettingsLoginItems {
	opened++;
	if (service == serviceRaises) [NSException raise:NSInternalInconsistencyException format:@"no window server"];
}
- (NSInteger)status { return service == serviceStrange ? 7 : status; }
- (BOOL)registerAndReturnError:(NSError **)error {
	switch ((int)service) {
	case serviceRefuses:
		*error = [[NSError alloc] initWithDomain:@"SMAppServiceErrorDomain" code:1 userInfo:nil];
		return NO;
	case serviceRefusesSilently: return NO;
	case serviceApproval: status = 2; return YES;
	}
	status = 1;
	return YES;
}
- (BOOL)unregisterAndReturnError:(NSError **)error {
	if (service == serviceRefuses) {
		*error = [[NSError alloc] initWithDomain:@"SMAppServiceErrorDomain" code:1 userInfo:nil];
		return NO;
	}
	status = 0;
	return YES;
}
@end

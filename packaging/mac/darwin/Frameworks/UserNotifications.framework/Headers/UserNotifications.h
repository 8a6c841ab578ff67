// What the programs use of UserNotifications, as Apple documents it at developer.apple.com/documentation/usernotifications. The
// rules of Foundation.h hold here, too.
#pragma once
#include <Foundation/Foundation.h>

typedef NSUInteger UNAuthorizationOptions;
enum { UNAuthorizationOptionAlert = 1 << 2 };

typedef NSInteger UNAuthorizationStatus;
enum { UNAuthorizationStatusNotDetermined = 0, UNAuthorizationStatusDenied = 1 };

typedef NSUInteger UNNotificationPresentationOptions; // those two are there since macOS 11
enum { UNNotificationPresentationOptionList = 1 << 3, UNNotificationPresentationOptionBanner = 1 << 4 };

typedef NSUInteger UNNotificationActionOptions;
enum { UNNotificationActionOptionNone = 0 };

typedef NSUInteger UNNotificationCategoryOptions;
enum { UNNotificationCategoryOptionNone = 0 };

@class UNNotificationTrigger;

@interface UNNotificationSettings : NSObject
@property(readonly) UNAuthorizationStatus authorizationStatus;
@end

@interface UNNotificationContent : NSObject
@property(readonly, copy) NSString *threadIdentifier;
@end

@interface UNMutableNotificationContent : UNNotificationContent
@property(copy) NSString *title;
@property(copy) NSString *body;
@property(copy) NSString *categoryIdentifier;
@property(copy) NSString *threadIdentifier;
@end

@interface UNNotificationRequest : NSObject
@property(readonly, copy) UNNotificationContent *content;
+ (instancetype)requestWithIdentifier:(NSString *)identifier content:(UNNotificationContent *)content trigger:(UNNotificationTrigger *)trigger;
@end

@interface UNNotification : NSObject
@property(nonatomic, readonly, copy) UNNotificationRequest *request;
@end

@interface UNNotificationResponse : NSObject
@property(readonly, copy) UNNotification *notification;
@property(readonly, copy) NSString *actionIdentifier;
@end

@interface UNNotificationAction : NSObject
+ (instancetype)actionWithIdentifier:(NSString *)identifier title:(NSString *)title options:(UNNotificationActionOptions)options;
@end

@interface UNNotificationCategory : NSObject
+ (instancetype)categoryWithIdentifier:(NSString *)identifier
                               actions:(NSArray *)actions
                     intentIdentifiers:(NSArray *)intentIdentifiers
                               options:(UNNotificationCategoryOptions)options;
@end

@class UNUserNotificationCenter;

@protocol UNUserNotificationCenterDelegate <NSObject>
@optional
- (void)userNotificationCenter:(UNUserNotificationCenter *)center
       willPresentNotification:(UNNotification *)notification
         withCompletionHandler:(void (^)(UNNotificationPresentationOptions options))completionHandler;
- (void)userNotificationCenter:(UNUserNotificationCenter *)center
    didReceiveNotificationResponse:(UNNotificationResponse *)response
             withCompletionHandler:(void (^)(void))completionHandler;
@end

@interface UNUserNotificationCenter : NSObject
@property(weak) id<UNUserNotificationCenterDelegate> delegate;
+ (UNUserNotificationCenter *)currentNotificationCenter;
- (void)requestAuthorizationWithOptions:(UNAuthorizationOptions)options
                      completionHandler:(void (^)(BOOL granted, NSError *error))completionHandler;
- (void)getNotificationSettingsWithCompletionHandler:(void (^)(UNNotificationSettings *settings))completionHandler;
- (void)setNotificationCategories:(NSSet *)categories;
- (void)addNotificationRequest:(UNNotificationRequest *)request withCompletionHandler:(void (^)(NSError *error))completionHandler;
@end

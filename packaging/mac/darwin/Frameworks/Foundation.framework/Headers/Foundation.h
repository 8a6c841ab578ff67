// What the programs use of Foundation, as Apple documents it at developer.apple.com/documentation/foundation.
// Names and signatures only. Declare exactly what is documented and nothing that is not used: a wrong signature or struct
// compiles here and breaks on a Mac.
#pragma once
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <objc/objc.h>
#include <objc/NSObjCRuntime.h>
#include <objc/NSObject.h>

#ifndef TRUE
#define TRUE 1
#define FALSE 0
#endif

typedef double CGFloat;
typedef uint32_t FourCharCode;
typedef struct { CGFloat width, height; } NSSize;
static inline NSSize NSMakeSize(CGFloat width, CGFloat height) { return (NSSize){width, height}; }
typedef struct { CGFloat x, y; } NSPoint;
static inline NSPoint NSMakePoint(CGFloat x, CGFloat y) { return (NSPoint){x, y}; }
typedef double NSTimeInterval;

typedef NSUInteger NSStringEncoding;
enum { NSUTF8StringEncoding = 4 };

@interface NSObject (MainThread)
- (void)performSelectorOnMainThread:(SEL)selector withObject:(id)object waitUntilDone:(BOOL)wait;
@end

@interface NSString : NSObject
- (instancetype)initWithCString:(const char *)bytes encoding:(NSStringEncoding)encoding;
@property(readonly) NSUInteger length;
@property(readonly) const char *UTF8String;
@end

@interface NSValue : NSObject
@end

@interface NSNumber : NSValue
+ (NSNumber *)numberWithInt:(int)value;
@property(readonly) int intValue;
@property(readonly) NSInteger integerValue;
@end

@interface NSArray : NSObject
+ (instancetype)array;
+ (instancetype)arrayWithObjects:(const id[])objects count:(NSUInteger)count; // what @[…] compiles to
- (id)objectAtIndex:(NSUInteger)index;
@property(readonly) NSUInteger count;
@end

@interface NSData : NSObject
+ (instancetype)dataWithBytes:(const void *)bytes length:(NSUInteger)length;
@end

@interface NSSet : NSObject
+ (instancetype)setWithObject:(id)object;
@end

@interface NSError : NSObject
@end

@interface NSURL : NSObject
+ (NSURL *)fileURLWithPath:(NSString *)path;
@property(readonly, copy) NSString *path;
@end

typedef uint64_t NSActivityOptions;
// NSActivityUserInitiated, which is 0x00FFFFFF with NSActivityIdleSystemSleepDisabled in it, without that: 1 << 20.
static const NSActivityOptions NSActivityUserInitiatedAllowingIdleSystemSleep = 0x00EFFFFF;
static const NSActivityOptions NSActivityIdleSystemSleepDisabled = 1ULL << 20;

@interface NSProcessInfo : NSObject
@property(class, readonly, strong) NSProcessInfo *processInfo;
- (id<NSObject>)beginActivityWithOptions:(NSActivityOptions)options reason:(NSString *)reason;
- (void)endActivity:(id<NSObject>)activity;
@end

@interface NSCondition : NSObject
@end

@interface NSNotification : NSObject
@end

@interface NSNotificationCenter : NSObject
@property(class, readonly, strong) NSNotificationCenter *defaultCenter;
- (void)addObserver:(id)observer selector:(SEL)selector name:(NSString *)name object:(id)object;
@end

@interface NSObject (KeyValueCoding)
- (id)valueForKey:(NSString *)key;
@end

typedef FourCharCode AEEventClass;
typedef FourCharCode AEEventID;
enum { kCoreEventClass = 'aevt', kAEReopenApplication = 'rapp' }; // <AE/AppleEvents.h>

@interface NSAppleEventManager : NSObject
+ (NSAppleEventManager *)sharedAppleEventManager;
- (void)setEventHandler:(id)handler andSelector:(SEL)selector forEventClass:(AEEventClass)eventClass andEventID:(AEEventID)eventID;
@end

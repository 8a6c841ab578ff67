// What the programs use of Foundation, as Apple documents it at developer.apple.com/documentation/foundation.
// Names and signatures only. Declare exactly what is documented and nothing that is not used: a wrong signature or struct
// compiles here and breaks on a Mac.
#pragma once
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <objc/objc.h>
#include <objc/NSObjCRuntime.h>
#include <objc/NSObject.h>

#ifndef TRUE
#define TRUE 1
#define FALSE 0
#endif

typedef double CGFloat;
typedef struct { CGFloat width, height; } NSSize;
static inline NSSize NSMakeSize(CGFloat width, CGFloat height) { return (NSSize){width, height}; }

typedef NSUInteger NSStringEncoding;
enum { NSUTF8StringEncoding = 4 };

@interface NSObject (MainThread)
- (void)performSelectorOnMainThread:(SEL)selector withObject:(id)object waitUntilDone:(BOOL)wait;
@end

@interface NSString : NSObject
- (instancetype)initWithCString:(const char *)bytes encoding:(NSStringEncoding)encoding;
@property(readonly) NSUInteger length;
@end

@interface NSValue : NSObject
@end

@interface NSNumber : NSValue
+ (NSNumber *)numberWithInt:(int)value;
@property(readonly) int intValue;
@property(readonly) NSInteger integerValue;
@end

@interface NSArray : NSObject
+ (instancetype)arrayWithObjects:(const id[])objects count:(NSUInteger)count; // what @[…] compiles to
- (id)objectAtIndex:(NSUInteger)index;
@property(readonly) NSUInteger count;
@end

@interface NSData : NSObject
+ (instancetype)dataWithBytes:(const void *)bytes length:(NSUInteger)length;
@end

@interface NSCondition : NSObject
@end

@interface NSNotification : NSObject
@end

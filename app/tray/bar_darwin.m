// What systray (v1.2.2) leaves out on a Mac: its delegate is kept alive, its item has a name under which macOS remembers its place, who opens
// the app again is heard, and whether the icon can be seen at all is watched.
//
// Threads: all of it is of the main thread; barDress hands over to it. systray's names are its own, so its item is asked for by key, and if
// another version has none of that name nothing happens.
#import <AppKit/AppKit.h>
#import <Foundation/Foundation.h>
#import <objc/runtime.h>

#include "bar_darwin.h"

static id kept; // AppKit's own reference is weak, and systray has none
static void (*setDelegate)(id, SEL, id);

static void keepDelegate(id app, SEL method, id delegate) {
	kept = delegate;
	setDelegate(app, method, delegate);
}

void barPrepare(void) {
	@autoreleasepool {
		@try {
			Method method = class_getInstanceMethod(objc_getClass("NSApplication"), @selector(setDelegate:));
			if (method != NULL) setDelegate = (void (*)(id, SEL, id))method_setImplementation(method, (IMP)keepDelegate);
		} @catch (id e) {
		}
	}
}

@interface VivariumBar : NSObject
@end

static VivariumBar *bar;

@implementation VivariumBar

- (NSStatusItem *)item {
	return [NSApp.delegate respondsToSelector:@selector(valueForKey:)] ? [(NSObject *)NSApp.delegate valueForKey:@"statusItem"] : nil;
}

- (void)dress {
	@try {
		[[objc_getClass("NSAppleEventManager") sharedAppleEventManager] setEventHandler:self
		                                                                     andSelector:@selector(reopened:reply:)
		                                                                   forEventClass:kCoreEventClass
		                                                                      andEventID:kAEReopenApplication];
		NSStatusItem *item = [self item];
		item.autosaveName = @"Vivarium";
		item.visible = YES; // macOS remembers under that name that it was once dragged away
		[[objc_getClass("NSNotificationCenter") defaultCenter] addObserver:self
		                                                           selector:@selector(look)
		                                                               name:@"NSWindowDidChangeOcclusionStateNotification"
		                                                             object:item.button.window];
		[self look];
	} @catch (id e) {
	}
}

// A hidden icon has a window that macOS shows nowhere.
- (void)look {
	@try {
		NSStatusItem *item = [self item];
		if (item != nil) barSeen(item.visible && (item.button.window.occlusionState & NSWindowOcclusionStateVisible) != 0);
	} @catch (id e) {
	}
}

- (void)reopened:(id)event reply:(id)reply {
	(void)event;
	(void)reply;
	barReopened();
}

@end

void barDress(void) {
	@autoreleasepool {
		@try {
			bar = [VivariumBar new];
			[bar performSelectorOnMainThread:@selector(dress) withObject:nil waitUntilDone:NO];
		} @catch (id e) {
		}
	}
}

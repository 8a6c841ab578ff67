// Dialogs by AppKit: in front of other windows, and with the app's icon, which those of osascript are not.
//
// Threads: AppKit's panels belong to the main thread. Each function copies what it is given and hands it over; the main thread shows one
// dialog at a time, in a modal loop in which the menu goes on being served. Go shows one at a time, too, and closes it when it need no
// longer be answered. An exception ends the dialog, and is its answer.
#import <AppKit/AppKit.h>
#import <Foundation/Foundation.h>
#import <objc/runtime.h>

#include "dialogs_darwin.h"

static NSString *string(const char *text) {
	return [[NSString alloc] initWithCString:text encoding:NSUTF8StringEncoding];
}

static void answered(uint64_t call, int button, NSString *path, id problem) {
	const char *where = path == nil ? "" : path.UTF8String;
	const char *why = problem == nil ? "" : [problem description].UTF8String;
	dialogAnswered(call, button, where == NULL ? "" : (char *)where, why == NULL ? "unknown" : (char *)why);
}

static uint64_t showing; // the call whose dialog is shown; of the main thread

// Plain variables, which any Objective-C has: the test that runs this on Linux has an older one.
@interface VivariumDialog : NSObject {
@public
	uint64_t call;
	NSString *title, *text, *yes, *cancel, *start;
}
@end

@implementation VivariumDialog

// An app without a Dock icon is never the active one by itself: without both of these its dialog opens behind what a person looks at. The
// window is not shown here: a modal loop centres and lays out only what it shows itself.
static void inFront(NSWindow *window) {
	[NSApp activateIgnoringOtherApps:YES];
	window.level = NSModalPanelWindowLevel;
}

- (void)folder {
	@try {
		NSOpenPanel *panel = [objc_getClass("NSOpenPanel") openPanel];
		panel.canChooseFiles = NO;
		panel.canChooseDirectories = YES;
		panel.allowsMultipleSelection = NO;
		panel.message = title;
		if (start.length > 0) panel.directoryURL = [objc_getClass("NSURL") fileURLWithPath:start];
		inFront(panel);
		showing = call;
		BOOL chosen = [panel runModal] == NSModalResponseOK;
		showing = 0;
		answered(call, chosen, chosen ? panel.URL.path : nil, nil);
	} @catch (id e) {
		showing = 0;
		answered(call, 0, nil, e);
	}
}

- (void)alert {
	@try {
		NSAlert *alert = [objc_getClass("NSAlert") new];
		alert.messageText = title;
		alert.informativeText = text;
		[alert addButtonWithTitle:yes];
		if (cancel.length > 0) [alert addButtonWithTitle:cancel];
		inFront(alert.window);
		showing = call;
		NSModalResponse response = [alert runModal];
		showing = 0;
		answered(call, response == NSAlertFirstButtonReturn, nil, nil);
	} @catch (id e) {
		showing = 0;
		answered(call, 0, nil, e);
	}
}

// abortModal may do its work by an exception, which would be caught here instead of in the modal loop. stopModalWithCode: never does, and may
// be called from outside of an event since macOS 10.9; the loop looks at it when the next event has come, so one is sent.
- (void)close {
	@try {
		if (showing != call) return;
		[NSApp stopModalWithCode:NSModalResponseAbort];
		NSEvent *wake = [objc_getClass("NSEvent") otherEventWithType:NSEventTypeApplicationDefined
		                                                    location:NSMakePoint(0, 0)
		                                               modifierFlags:0
		                                                   timestamp:0
		                                                windowNumber:0
		                                                     context:nil
		                                                     subtype:0
		                                                       data1:0
		                                                       data2:0];
		[NSApp postEvent:wake atStart:YES];
	} @catch (id e) {
	}
}

@end

static void hand(VivariumDialog *dialog, SEL what) {
	@try {
		[dialog performSelectorOnMainThread:what withObject:nil waitUntilDone:NO];
	} @catch (id e) {
		answered(dialog->call, 0, nil, e);
	}
}

void dialogFolder(uint64_t call, const char *title, const char *start) {
	@autoreleasepool {
		VivariumDialog *dialog = [VivariumDialog new];
		dialog->call = call;
		dialog->title = string(title);
		dialog->start = string(start);
		hand(dialog, @selector(folder));
	}
}

void dialogAlert(uint64_t call, const char *title, const char *text, const char *yes, const char *cancel) {
	@autoreleasepool {
		VivariumDialog *dialog = [VivariumDialog new];
		dialog->call = call;
		dialog->title = string(title);
		dialog->text = string(text);
		dialog->yes = string(yes);
		dialog->cancel = string(cancel);
		hand(dialog, @selector(alert));
	}
}

void dialogClose(uint64_t call) {
	@autoreleasepool {
		VivariumDialog *dialog = [VivariumDialog new];
		dialog->call = call;
		hand(dialog, @selector(close));
	}
}

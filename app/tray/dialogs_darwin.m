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

@interface VivariumDialog : NSObject
@property(nonatomic) uint64_t call;
@property(nonatomic, copy) NSString *title;
@property(nonatomic, copy) NSString *text;
@property(nonatomic, copy) NSString *yes;
@property(nonatomic, copy) NSString *cancel;
@property(nonatomic, copy) NSString *start;
@end

@implementation VivariumDialog

// An app without a Dock icon is never the active one by itself: without both of these its dialog opens behind what a person looks at.
static void inFront(NSWindow *window) {
	[NSApp activateIgnoringOtherApps:YES];
	window.level = NSModalPanelWindowLevel;
	[window makeKeyAndOrderFront:nil];
}

- (void)folder {
	@try {
		NSOpenPanel *panel = [objc_getClass("NSOpenPanel") openPanel];
		panel.canChooseFiles = NO;
		panel.canChooseDirectories = YES;
		panel.allowsMultipleSelection = NO;
		panel.message = self.title;
		if (self.start.length > 0) panel.directoryURL = [objc_getClass("NSURL") fileURLWithPath:self.start];
		inFront(panel);
		showing = self.call;
		BOOL chosen = [panel runModal] == NSModalResponseOK;
		showing = 0;
		answered(self.call, chosen, chosen ? panel.URL.path : nil, nil);
	} @catch (id e) {
		showing = 0;
		answered(self.call, 0, nil, e);
	}
}

- (void)alert {
	@try {
		NSAlert *alert = [objc_getClass("NSAlert") new];
		alert.messageText = self.title;
		alert.informativeText = self.text;
		[alert addButtonWithTitle:self.yes];
		if (self.cancel.length > 0) [alert addButtonWithTitle:self.cancel];
		inFront(alert.window);
		showing = self.call;
		NSModalResponse response = [alert runModal];
		showing = 0;
		answered(self.call, response == NSAlertFirstButtonReturn, nil, nil);
	} @catch (id e) {
		showing = 0;
		answered(self.call, 0, nil, e);
	}
}

- (void)close {
	@try {
		if (showing == self.call) [NSApp abortModal];
	} @catch (id e) {
	}
}

@end

static void hand(VivariumDialog *dialog, SEL what) {
	@try {
		[dialog performSelectorOnMainThread:what withObject:nil waitUntilDone:NO];
	} @catch (id e) {
		answered(dialog.call, 0, nil, e);
	}
}

void dialogFolder(uint64_t call, const char *title, const char *start) {
	@autoreleasepool {
		VivariumDialog *dialog = [VivariumDialog new];
		dialog.call = call;
		dialog.title = string(title);
		dialog.start = string(start);
		hand(dialog, @selector(folder));
	}
}

void dialogAlert(uint64_t call, const char *title, const char *text, const char *yes, const char *cancel) {
	@autoreleasepool {
		VivariumDialog *dialog = [VivariumDialog new];
		dialog.call = call;
		dialog.title = string(title);
		dialog.text = string(text);
		dialog.yes = string(yes);
		dialog.cancel = string(cancel);
		hand(dialog, @selector(alert));
	}
}

void dialogClose(uint64_t call) {
	@autoreleasepool {
		VivariumDialog *dialog = [VivariumDialog new];
		dialog.call = call;
		hand(dialog, @selector(close));
	}
}

// A stand-in for what the dialogs use of AppKit: a modal loop that serves the main thread's run loop, as AppKit's does, and that looks whether
// it was stopped when an event has come.
#import <AppKit/AppKit.h>

#include <stdlib.h>
#include <string.h>

#include "stubs.h"

NSApplication *NSApp;

static volatile int mode, shown, over;
static volatile long response;
static NSString *path;
static char *text;
static BOOL stopped, woken;
static NSModalResponse code;

static NSModalResponse modal(NSString *says) {
	text = strdup(says.UTF8String);
	stopped = woken = NO;
	shown++;
	for (int i = 0; i < 200; i++) {
		if (mode == panelRaises) [NSException raise:@"NSInternalInconsistencyException" format:@"no window server"];
		if (mode == personAnswers) return response;
		[[NSRunLoop currentRunLoop] runMode:NSDefaultRunLoopMode beforeDate:[NSDate dateWithTimeIntervalSinceNow:0.05]];
		if (stopped && woken) return code;
	}
	return NSModalResponseOK; // nobody closed it, and a person says yes in the end
}

@implementation NSResponder
@end

@implementation NSWindow
- (NSWindowLevel)level {
	return 0;
}
- (void)setLevel:(NSWindowLevel)level {
	if (level != NSModalPanelWindowLevel) abort();
}
- (NSWindowOcclusionState)occlusionState {
	return 0;
}
@end

@implementation NSPanel
@end

static NSString *message;

@implementation NSSavePanel
- (NSURL *)URL {
	return [NSURL fileURLWithPath:path];
}
- (NSURL *)directoryURL {
	return nil;
}
- (void)setDirectoryURL:(NSURL *)url {
	message = [[message stringByAppendingFormat:@"|%@", url.path] retain];
}
- (NSString *)message {
	return message;
}
- (void)setMessage:(NSString *)to {
	message = [[NSString stringWithFormat:@"%@", to] retain];
}
- (NSModalResponse)runModal {
	return modal(message);
}
@end

@implementation NSOpenPanel
+ (NSOpenPanel *)openPanel {
	return [[self new] autorelease];
}
- (BOOL)canChooseFiles {
	return NO;
}
- (void)setCanChooseFiles:(BOOL)yes {
	if (yes) abort();
}
- (BOOL)canChooseDirectories {
	return YES;
}
- (void)setCanChooseDirectories:(BOOL)yes {
	if (!yes) abort();
}
- (BOOL)allowsMultipleSelection {
	return NO;
}
- (void)setAllowsMultipleSelection:(BOOL)yes {
	if (yes) abort();
}
@end

static NSMutableArray *alertTexts;

@implementation NSAlert
- (id)init {
	self = [super init];
	alertTexts = [NSMutableArray new];
	return self;
}
- (NSString *)messageText {
	return nil;
}
- (void)setMessageText:(NSString *)to {
	[alertTexts addObject:to];
}
- (NSString *)informativeText {
	return nil;
}
- (void)setInformativeText:(NSString *)to {
	[alertTexts addObject:to];
}
- (NSWindow *)window {
	return [[NSPanel new] autorelease];
}
- (NSButton *)addButtonWithTitle:(NSString *)title {
	[alertTexts addObject:title];
	return nil;
}
- (NSModalResponse)runModal {
	return modal([alertTexts componentsJoinedByString:@"|"]);
}
@end

@implementation NSEvent
+ (NSEvent *)otherEventWithType:(NSEventType)type
                       location:(NSPoint)location
                  modifierFlags:(NSUInteger)flags
                      timestamp:(NSTimeInterval)time
                   windowNumber:(NSInteger)number
                        context:(id)context
                        subtype:(short)subtype
                          data1:(NSInteger)data1
                          data2:(NSInteger)data2 {
	if (type != NSEventTypeApplicationDefined) abort();
	return [[self new] autorelease];
}
@end

@implementation NSApplication
+ (NSApplication *)sharedApplication {
	return NSApp;
}
- (id<NSApplicationDelegate>)delegate {
	return nil;
}
- (void)setDelegate:(id<NSApplicationDelegate>)to {
}
- (void)run {
}
- (void)terminate:(id)sender {
}
- (void)stopModalWithCode:(NSModalResponse)with {
	stopped = YES;
	code = with;
}
- (void)postEvent:(NSEvent *)event atStart:(BOOL)first {
	woken = event != nil;
}
- (void)activateIgnoringOtherApps:(BOOL)flag {
	if (!flag) abort();
}
@end

void dialogsAre(int to, long answer, const char *where) {
	@autoreleasepool {
		path = [[NSString alloc] initWithUTF8String:where];
		response = answer;
		mode = to;
	}
}

int dialogsShown(void) {
	return shown;
}

const char *dialogText(void) {
	return text;
}

void serve(void) {
	@autoreleasepool {
		NSApp = [NSApplication new];
		while (!over) {
			@autoreleasepool {
				[[NSRunLoop currentRunLoop] runMode:NSDefaultRunLoopMode beforeDate:[NSDate dateWithTimeIntervalSinceNow:0.02]];
			}
		}
	}
}

void enough(void) {
	over = 1;
}

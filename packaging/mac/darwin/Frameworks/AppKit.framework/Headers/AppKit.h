// What the programs use of AppKit, as Apple documents it at developer.apple.com/documentation/appkit. The rules of
// Foundation.h hold here, too.
#pragma once
#include <Foundation/Foundation.h>

extern const double NSAppKitVersionNumber;

typedef NSInteger NSControlStateValue;
static const NSControlStateValue NSControlStateValueOff = 0;
static const NSControlStateValue NSControlStateValueOn = 1;

typedef NSUInteger NSCellImagePosition;
enum { NSNoImage = 0, NSImageOnly = 1, NSImageLeft = 2 };

static const CGFloat NSVariableStatusItemLength = -1.0;

@class NSMenu;

@interface NSImage : NSObject
- (instancetype)initWithData:(NSData *)data;
@property NSSize size;
@property(getter=isTemplate) BOOL template;
@end

@interface NSResponder : NSObject
@end

typedef NSUInteger NSWindowOcclusionState;
enum { NSWindowOcclusionStateVisible = 1UL << 1 };

typedef NSInteger NSWindowLevel;
enum { NSModalPanelWindowLevel = 8 }; // kCGModalPanelWindowLevel

@interface NSWindow : NSResponder
@property NSWindowLevel level;
@property(readonly) NSWindowOcclusionState occlusionState;
@end

typedef NSInteger NSModalResponse;
static const NSModalResponse NSModalResponseOK = 1;
static const NSModalResponse NSModalResponseAbort = -1001;
static const NSModalResponse NSAlertFirstButtonReturn = 1000;

@interface NSPanel : NSWindow
@end

@interface NSSavePanel : NSPanel
@property(readonly, copy) NSURL *URL;
@property(copy) NSURL *directoryURL;
@property(copy) NSString *message;
- (NSModalResponse)runModal;
@end

@interface NSOpenPanel : NSSavePanel
+ (NSOpenPanel *)openPanel;
@property BOOL canChooseFiles;
@property BOOL canChooseDirectories;
@property BOOL allowsMultipleSelection;
@end

@class NSButton;

@interface NSAlert : NSObject
@property(copy) NSString *messageText;
@property(copy) NSString *informativeText;
@property(readonly, strong) NSWindow *window;
- (NSButton *)addButtonWithTitle:(NSString *)title;
- (NSModalResponse)runModal;
@end

@interface NSView : NSResponder
@property(copy) NSString *toolTip;
@property(readonly, assign) NSWindow *window;
@end

@interface NSControl : NSView
@end

@interface NSButton : NSControl
@property(copy) NSString *title;
@property(strong) NSImage *image;
@property NSCellImagePosition imagePosition;
@end

@interface NSStatusBarButton : NSButton
@end

@interface NSStatusItem : NSObject
@property(readonly, strong) NSStatusBarButton *button;
@property(strong) NSMenu *menu;
@property(copy) NSString *autosaveName;
@property(getter=isVisible) BOOL visible;
@end

@interface NSStatusBar : NSObject
@property(class, readonly, strong) NSStatusBar *systemStatusBar;
- (NSStatusItem *)statusItemWithLength:(CGFloat)length;
@end

@interface NSMenuItem : NSObject
+ (NSMenuItem *)separatorItem;
@property(copy) NSString *title;
@property(copy) NSString *toolTip;
@property(strong) NSImage *image;
@property(strong) NSMenu *submenu;
@property(readonly) BOOL hasSubmenu;
@property(strong) id representedObject;
@property(weak) id target;
@property NSInteger tag;
@property NSControlStateValue state;
@property(getter=isEnabled) BOOL enabled;
@property(getter=isHidden) BOOL hidden;
@end

@interface NSMenu : NSObject
@property BOOL autoenablesItems;
@property(copy) NSArray *itemArray;
- (void)addItem:(NSMenuItem *)item;
- (NSMenuItem *)addItemWithTitle:(NSString *)title action:(SEL)action keyEquivalent:(NSString *)key;
- (NSMenuItem *)itemWithTag:(NSInteger)tag;
@end

typedef NSUInteger NSEventType;
enum { NSEventTypeApplicationDefined = 15 };

@interface NSEvent : NSObject
+ (NSEvent *)otherEventWithType:(NSEventType)type
                       location:(NSPoint)location
                  modifierFlags:(NSUInteger)flags
                      timestamp:(NSTimeInterval)time
                   windowNumber:(NSInteger)number
                        context:(id)context
                        subtype:(short)subtype
                          data1:(NSInteger)data1
                          data2:(NSInteger)data2;
@end

@protocol NSApplicationDelegate <NSObject>
@end

@interface NSApplication : NSResponder
@property(class, readonly, strong) NSApplication *sharedApplication;
@property(weak) id<NSApplicationDelegate> delegate;
- (void)run;
- (void)terminate:(id)sender;
- (void)stopModalWithCode:(NSModalResponse)code;
- (void)postEvent:(NSEvent *)event atStart:(BOOL)first;
- (void)activateIgnoringOtherApps:(BOOL)flag;
@end
extern NSApplication *NSApp;

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

@class NSMenu, NSWindow;

@interface NSImage : NSObject
- (instancetype)initWithData:(NSData *)data;
@property NSSize size;
@property(getter=isTemplate) BOOL template;
@end

@interface NSResponder : NSObject
@end

@interface NSView : NSResponder
@property(copy) NSString *toolTip;
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

@protocol NSApplicationDelegate <NSObject>
@end

@interface NSApplication : NSResponder
@property(class, readonly, strong) NSApplication *sharedApplication;
@property(weak) id<NSApplicationDelegate> delegate;
- (void)run;
- (void)terminate:(id)sender;
@end
extern NSApplication *NSApp;

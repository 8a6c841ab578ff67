// Cocoa is the umbrella: AppKit, and Foundation through it.
#pragma once
#include <AppKit/AppKit.h>

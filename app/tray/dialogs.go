//go:build cgo

package tray

import (
	"context"
	"errors"
	"os"

	"github.com/ncruces/zenity"
)

// In its bundle on a Mac the app has dialogs of its own (native). Everywhere else zenity finds the desktop's, on a Mac those of osascript,
// which open behind other windows.

// Folder lets a person choose a folder; "" if they thought better of it.
func Folder(ctx context.Context, title string) (string, error) {
	home, _ := os.UserHomeDir() // unknown: the dialog starts where it likes
	if a := native(); a != nil {
		return a.Folder(ctx, title, home)
	}
	dir, err := zenity.SelectFile(zenity.Context(ctx), zenity.Directory(), zenity.Title(title), zenity.Filename(home+"/"))
	if errors.Is(err, zenity.ErrCanceled) {
		return "", nil
	}
	return dir, err
}

// Ask is a question with a Yes of that word.
func Ask(ctx context.Context, title, text, yes string) (bool, error) {
	if a := native(); a != nil {
		return a.Ask(ctx, title, text, yes)
	}
	err := zenity.Question(text, zenity.Context(ctx), zenity.Title(title), zenity.OKLabel(yes), zenity.CancelLabel("Cancel"), zenity.NoWrap())
	if errors.Is(err, zenity.ErrCanceled) {
		return false, nil
	}
	return err == nil, err
}

// Tell shows a text until it is read.
func Tell(ctx context.Context, title, text string) error {
	if a := native(); a != nil {
		return a.Tell(ctx, title, text)
	}
	err := zenity.Info(text, zenity.Context(ctx), zenity.Title(title), zenity.NoWrap())
	if errors.Is(err, zenity.ErrCanceled) {
		return nil
	}
	return err
}

package verify

import (
	"encoding/asn1"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"howett.net/plist"
)

// infoKeys are what the Info.plist of each bundle must say.
var infoKeys = map[string]map[string]any{
	mainProgram: {
		"CFBundleExecutable": "Vivarium", "CFBundleIconFile": "Vivarium", "CFBundleName": "Vivarium", "CFBundleDisplayName": "Vivarium",
		"LSAppNapIsDisabled": true, "NSHighResolutionCapable": true,
		"NSSupportsAutomaticTermination": false, "NSSupportsSuddenTermination": false,
	},
	keeperProgram: {
		"CFBundleExecutable": "vivarium-keeper", "CFBundleName": "Vivarium Keeper", "CFBundleDisplayName": "Vivarium Keeper",
	},
}

// forbidden keys, and why.
var forbidden = map[string]string{
	"LSEnvironment":                 "it is not obeyed for login items and must not be relied on",
	"LSMultipleInstancesProhibited": "it would keep out a second user of the same Mac",
}

func infoPlist(program string, text []byte, want Want) error {
	var info map[string]any
	if _, err := plist.Unmarshal(text, &info); err != nil {
		return fmt.Errorf("in the Info.plist of %s: %w", program, err)
	}
	var wrong []error
	complain := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("in the Info.plist of %s: %w", program, fmt.Errorf(format, args...)))
	}
	must := map[string]any{
		"CFBundlePackageType": "APPL", "CFBundleInfoDictionaryVersion": "6.0", "LSMinimumSystemVersion": want.MinOS, "LSUIElement": true,
	}
	for _, keys := range []map[string]any{must, infoKeys[program]} {
		for key, value := range keys {
			if info[key] != value {
				complain("%s is %v, not %v", key, info[key], value)
			}
		}
	}
	for _, key := range append([]string{"CFBundleIdentifier", "CFBundleShortVersionString", "CFBundleVersion"}, want.Usages...) {
		if said, _ := info[key].(string); said == "" {
			complain("%s is missing", key)
		}
	}
	for key, why := range forbidden {
		if _, set := info[key]; set {
			complain("%s: %s", key, why)
		}
	}
	return errors.Join(wrong...)
}

// oneIdentity: the keeper is named below the app, and is of the same version.
func oneIdentity(lists map[string][]byte) error {
	type identity struct {
		ID      string `plist:"CFBundleIdentifier"`
		Version string `plist:"CFBundleVersion"`
	}
	var app, keeper identity
	plist.Unmarshal(lists[mainProgram], &app) // what is wrong with it is told elsewhere
	plist.Unmarshal(lists[keeperProgram], &keeper)
	if want := (identity{app.ID + ".keeper", app.Version}); keeper != want {
		return fmt.Errorf("the keeper's bundle is %v, not %v", keeper, want)
	}
	return nil
}

// loginAgent checks the login item that the app registers: it starts this app, again after a crash only, and says that it is the login
// that starts it.
func loginAgent(contents, id string) error {
	text, err := os.ReadFile(filepath.Join(contents, "Library", "LaunchAgents", id+".login.plist"))
	if err != nil {
		return err
	}
	var agent struct {
		Label, BundleProgram, LimitLoadToSessionType, ProcessType string
		ProgramArguments, AssociatedBundleIdentifiers             []string
		RunAtLoad                                                 bool
		KeepAlive                                                 map[string]bool
	}
	if _, err := plist.Unmarshal(text, &agent); err != nil {
		return fmt.Errorf("in the login agent: %w", err)
	}
	again, told := agent.KeepAlive["SuccessfulExit"]
	switch {
	case agent.Label != id+".login":
		return fmt.Errorf("in the login agent: its label is %q", agent.Label)
	case agent.BundleProgram != "Contents/"+mainProgram:
		return fmt.Errorf("in the login agent: it starts %q", agent.BundleProgram)
	case !slices.Equal(agent.ProgramArguments, []string{"Vivarium", "--login"}):
		return fmt.Errorf("in the login agent: its arguments are %q", agent.ProgramArguments)
	case !agent.RunAtLoad || again || !told || len(agent.KeepAlive) != 1:
		return errors.New("in the login agent: it starts neither at login nor after a crash, or too often")
	case agent.LimitLoadToSessionType != "Aqua" || agent.ProcessType != "Interactive" || !slices.Equal(agent.AssociatedBundleIdentifiers, []string{id}):
		return errors.New("in the login agent: it is not that of an app with a face")
	}
	return nil
}

// entitled compares both forms of the entitlements in a signature with the list.
func entitled(got Signature, want []string) error {
	want = slices.Sorted(slices.Values(want))
	if len(want) == 0 && got.Entitlements == nil && got.EntitlementsDER == nil {
		return nil
	}
	const header = 8 // magic and length of the blob
	if len(got.Entitlements) < header || len(got.EntitlementsDER) < header {
		return errors.New("its entitlements are missing, in one form or in both")
	}
	var list map[string]any
	if _, err := plist.Unmarshal(got.Entitlements[header:], &list); err != nil {
		return fmt.Errorf("its entitlements: %w", err)
	}
	var keys []string
	for key, value := range list {
		if value != true {
			return fmt.Errorf("its entitlement %s is %v", key, value)
		}
		keys = append(keys, key)
	}
	slices.Sort(keys)
	if !slices.Equal(keys, want) {
		return fmt.Errorf("it is entitled to %q, not to %q", keys, want)
	}
	der, err := entitlementsOf(got.EntitlementsDER[header:])
	if err != nil {
		return fmt.Errorf("its entitlements in DER: %w", err)
	}
	if !slices.Equal(der, want) {
		return fmt.Errorf("in DER it is entitled to %q, not to %q, in this order", der, want)
	}
	return nil
}

// entitlementsOf reads entitlements in DER.
func entitlementsOf(text []byte) ([]string, error) {
	var all struct {
		Version int
		Pairs   asn1.RawValue
	}
	if rest, err := asn1.UnmarshalWithParams(text, &all, "application,tag:16"); err != nil || len(rest) > 0 || all.Version != 1 {
		return nil, fmt.Errorf("it is not a list of version 1, or something stands behind it: %w", err)
	}
	if all.Pairs.Class != asn1.ClassContextSpecific || all.Pairs.Tag != 16 || !all.Pairs.IsCompound {
		return nil, errors.New("it holds no dictionary")
	}
	var keys []string
	for rest := all.Pairs.Bytes; len(rest) > 0; {
		var pair struct {
			Key   string `asn1:"utf8"`
			Value bool
		}
		var err error
		if rest, err = asn1.Unmarshal(rest, &pair); err != nil {
			return nil, err
		}
		if !pair.Value {
			return nil, fmt.Errorf("%s is not true", pair.Key)
		}
		keys = append(keys, pair.Key)
	}
	return keys, nil
}

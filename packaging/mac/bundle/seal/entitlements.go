package seal

import (
	"encoding/asn1"
	"fmt"
	"maps"
	"slices"

	"howett.net/plist"
)

// Tags of the form in which the system reads entitlements from macOS 12 on (libCoreEntitlements): an application-specific sequence of
// a version and a dictionary, which is a sequence of pairs in the order of their keys.
const (
	tagEntitlements = 16
	tagDictionary   = 16
	formVersion     = 1
)

// pair is an entry of the dictionary. What a launcher is entitled to is a plain yes; lists and texts need not be written.
type pair struct {
	Key   string `asn1:"utf8"`
	Value bool
}

// entitlementsDER is a property list of entitlements in DER, which a signature holds beside the property list itself.
func entitlementsDER(list []byte) ([]byte, error) {
	var wanted map[string]any
	if _, err := plist.Unmarshal(list, &wanted); err != nil {
		return nil, fmt.Errorf("reading entitlements: %w", err)
	}
	version, err := asn1.Marshal(formVersion)
	if err != nil {
		return nil, err
	}
	var pairs []byte
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		if wanted[key] != true {
			return nil, fmt.Errorf("the entitlement %s is %v, and only true is known here", key, wanted[key])
		}
		one, err := asn1.Marshal(pair{key, true})
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, one...)
	}
	dictionary, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tagDictionary, IsCompound: true, Bytes: pairs})
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(asn1.RawValue{Class: asn1.ClassApplication, Tag: tagEntitlements, IsCompound: true, Bytes: append(version, dictionary...)})
}

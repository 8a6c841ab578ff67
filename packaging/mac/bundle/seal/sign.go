package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/blacktop/go-macho/pkg/codesign"
	"github.com/blacktop/go-macho/pkg/codesign/types"
)

// Signing is what a signature binds.
type Signing struct {
	ID        string // identifier of the code: the bundle's, or one below it
	InfoPlist []byte // the bundle's Info.plist as it is on disk; nil for a program that is not the bundle's main one
	Resources []byte // the bundle's _CodeSignature/CodeResources; nil likewise
	// Entitlements is a property list of keys that are true; nil for none.
	Entitlements []byte
}

// Hash is a CodeDirectory's own hash, by which the system knows the code: SHA-256, cut to 20 bytes.
type Hash [20]byte

// Sign signs a single-architecture file in place, ad hoc and with the hardened runtime, and returns the hash by which the system
// will know it. A signature that is there already, as Go's linker makes for arm64, is replaced.
func Sign(path string, s Signing) (Hash, error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return Hash{}, fmt.Errorf("signing %s: %w", path, err)
	}
	file, hash, err := signed(file, s)
	if err != nil {
		return Hash{}, fmt.Errorf("signing %s: %w", path, err)
	}
	if err := os.WriteFile(path, file, 0o755); err != nil {
		return Hash{}, fmt.Errorf("signing %s: %w", path, err)
	}
	return hash, nil
}

// signed is file with a signature at its end. go-macho makes the signature; it is put in place here, because go-macho's own
// writer (File.CodeSign and Save, v1.1.296) takes segments to follow one another without a gap, which those of Go and zig do
// not, and loses the bytes between them and the end of the file.
func signed(file []byte, s Signing) ([]byte, Hash, error) {
	place, err := makeRoom(file)
	if err != nil {
		return nil, Hash{}, err
	}
	file = place.unsigned
	// The load commands hold the signature's size and are themselves signed: one signature to measure, one to keep.
	draft, err := signature(file, place, s)
	if err != nil {
		return nil, Hash{}, err
	}
	place.reserve(uint32(len(draft)))
	final, err := signature(file, place, s)
	if err != nil {
		return nil, Hash{}, err
	}
	hash, err := harden(final, place.sdk)
	return append(file, final...), hash, err
}

func signature(file []byte, p place, s Signing) ([]byte, error) {
	config := &codesign.Config{
		ID:         s.ID,
		IsMain:     true, // an executable, not a library
		Flags:      types.ADHOC,
		CodeSize:   uint64(len(file)),
		TextOffset: p.text.Offset,
		TextSize:   p.text.Filesz,
		InfoPlist:  s.InfoPlist,
	}
	config.InitSlotHashes()
	if s.Entitlements != nil {
		der, err := entitlementsDER(s.Entitlements)
		if err != nil {
			return nil, err
		}
		config.Entitlements, config.EntitlementsDER = s.Entitlements, der
	}
	if s.Resources != nil {
		sum := sha256.Sum256(s.Resources)
		config.SlotHashes.ResourceDir = sum[:]
	}
	blob, err := codesign.Sign(bytes.NewReader(file), config)
	if err != nil {
		return nil, err
	}
	return append(blob, make([]byte, -len(blob)&15)...), nil
}

// A CodeDirectory, as in Apple's cs_blobs.h: its flags at 12, and from version 0x20500 on the runtime version at 88.
const (
	flagsAt   = 12
	runtimeAt = 88
)

// harden switches the hardened runtime on in a signature and returns its hash. go-macho could do it as well, but with any flag
// beyond "ad hoc" it also writes the requirement that nothing but the identifier must match, which would hand the permissions
// that a person granted to Vivarium to any program that takes its name. Nothing else in an ad hoc signature depends on these
// two numbers: the pages before it are what is hashed, and there is no certificate over it.
func harden(blob []byte, sdk uint32) (Hash, error) {
	cd, err := codeDirectory(blob)
	if err != nil {
		return Hash{}, err
	}
	binary.BigEndian.PutUint32(cd[flagsAt:], uint32(types.ADHOC|types.RUNTIME))
	binary.BigEndian.PutUint32(cd[runtimeAt:], sdk)
	sum := sha256.Sum256(cd)
	return Hash(sum[:20]), nil
}

// codeDirectory is the part of a signature that holds its CodeDirectory.
func codeDirectory(blob []byte) ([]byte, error) {
	const header, entry = 12, 8
	for i := range int(binary.BigEndian.Uint32(blob[8:])) {
		at := blob[header+entry*i:]
		kind, offset := binary.BigEndian.Uint32(at), binary.BigEndian.Uint32(at[4:])
		if types.SlotType(kind) != types.CSSLOT_CODEDIRECTORY {
			continue
		}
		cd := blob[offset:]
		length, version := binary.BigEndian.Uint32(cd[4:]), binary.BigEndian.Uint32(cd[8:])
		if version < uint32(types.SUPPORTS_RUNTIME) {
			return nil, fmt.Errorf("a CodeDirectory of version %#x has no place for the hardened runtime", version)
		}
		return cd[:length], nil
	}
	return nil, errors.New("the signature has no CodeDirectory")
}

package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	quill "github.com/anchore/quill/quill/macho"
)

// Signature is what the signature of one slice says, after it was found to be true.
type Signature struct {
	ID       string
	Flags    quill.CdFlag
	Hash     [20]byte // by which the system knows the code
	Special  map[int][]byte
	Pages    int
	Requires []byte // the blob of internal requirements

	Entitlements, EntitlementsDER []byte // blobs with their headers; nil if there are none
}

// Special slots of a CodeDirectory.
const (
	slotInfoPlist       = 1
	slotRequirements    = 2
	slotResources       = 3
	slotEntitlements    = 5
	slotEntitlementsDER = 7
)

// Signature checks the ad hoc signature of a slice: that it is where the load commands say, covers the whole file before it, that
// every page and the requirements have the hash it names, and that the hardened runtime is on. quill (v0.5.1) has no such check
// of its own; it finds the signature and hashes the pages, and what it finds is compared here.
func (s Slice) Signature() (Signature, error) {
	dir, err := os.MkdirTemp("", "slice")
	if err != nil {
		return Signature{}, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, s.Arch)
	if err := os.WriteFile(path, s.content, 0o600); err != nil {
		return Signature{}, err
	}
	file, err := quill.NewReadOnlyFile(path)
	if err != nil {
		return Signature{}, err
	}
	defer file.Close()
	got, err := s.signature(file)
	if err != nil {
		return Signature{}, fmt.Errorf("signature of the %s slice: %w", s.Arch, err)
	}
	return got, nil
}

func (s Slice) signature(file *quill.File) (Signature, error) {
	command, _, err := file.CodeSigningCmd()
	if err != nil {
		return Signature{}, err
	}
	if command == nil {
		return Signature{}, errors.New("there is none")
	}
	if uint64(command.DataOffset)+uint64(command.DataSize) != uint64(len(s.content)) {
		return Signature{}, errors.New("it does not end where the file ends")
	}
	raw, err := file.CDBytes(binary.BigEndian, 0)
	if err != nil {
		return Signature{}, err
	}
	if _, err := file.CDBytes(binary.BigEndian, 1); !errors.Is(err, quill.ErrNoCodeDirectory) {
		return Signature{}, errors.New("a second CodeDirectory")
	}
	cms, err := file.CMSBlobBytes(binary.BigEndian)
	if err != nil || len(cms) != 8 {
		return Signature{}, fmt.Errorf("ad hoc code has no certificate, this has %d bytes of one: %w", len(cms)-8, err)
	}
	var header quill.CodeDirectoryHeader
	if err := binary.Read(bytes.NewReader(raw[8:]), binary.BigEndian, &header); err != nil {
		return Signature{}, err
	}
	if err := s.sound(file, header, command.DataOffset); err != nil {
		return Signature{}, err
	}
	got := Signature{Flags: header.Flags, Special: map[int][]byte{}, Pages: int(header.NCodeSlots)}
	sum := sha256.Sum256(raw)
	copy(got.Hash[:], sum[:])
	if got.ID, err = text(raw, header.IdentOffset); err != nil {
		return Signature{}, err
	}
	if err := got.slots(file, raw, header); err != nil {
		return Signature{}, err
	}
	found, err := blobs(s.content[command.DataOffset:])
	if err != nil {
		return got, err
	}
	got.Requires, got.Entitlements, got.EntitlementsDER = found[slotRequirements], found[slotEntitlements], found[slotEntitlementsDER]
	if got.Requires == nil {
		return got, errors.New("no requirements")
	}
	for _, slot := range []int{slotRequirements, slotEntitlements, slotEntitlementsDER} {
		sum := sha256.Sum256(found[slot])
		if bound, there := got.Special[slot]; there != (found[slot] != nil) || there && !bytes.Equal(sum[:], bound) {
			return got, fmt.Errorf("what stands for slot %d is not what was signed", slot)
		}
	}
	return got, nil
}

// sound checks the fields of a CodeDirectory that do not depend on its hashes.
func (s Slice) sound(file *quill.File, h quill.CodeDirectoryHeader, start uint32) error {
	text := file.Segment("__TEXT")
	switch {
	case h.Version < quill.SupportsRuntime:
		return fmt.Errorf("version %#x knows no hardened runtime", h.Version)
	case h.Flags != quill.Adhoc|quill.Runtime:
		return fmt.Errorf("flags are %#x, not ad hoc with the hardened runtime", h.Flags)
	case h.HashType != quill.HashTypeSha256 || h.HashSize != sha256.Size || h.PageSize != quill.PageSizeBits:
		return errors.New("not SHA-256 of 4 KiB pages")
	case h.CodeLimit != start || h.ScatterOffset != 0 || h.CodeLimit64 != 0:
		return fmt.Errorf("%d bytes are signed and %d stand before the signature", h.CodeLimit, start)
	case h.ExecSegBase != text.Offset || h.ExecSegLimit != text.Filesz || h.ExecSegFlags != quill.ExecsegMainBinary:
		return errors.New("the executable segment is not __TEXT")
	case fmt.Sprintf("%d.%d", h.Runtime>>16, h.Runtime>>8&0xff) != s.SDK:
		return fmt.Errorf("the runtime version %#x is not the SDK's, %s", h.Runtime, s.SDK)
	}
	return nil
}

// slots reads the special slots and compares every page.
func (g *Signature) slots(file *quill.File, raw []byte, h quill.CodeDirectoryHeader) error {
	first, special := int(h.HashOffset), int(h.NSpecialSlots)
	if first-special*sha256.Size < 0 || first+int(h.NCodeSlots)*sha256.Size > len(raw) {
		return errors.New("its hashes reach out of it")
	}
	for i := 1; i <= special; i++ {
		if sum := raw[first-i*sha256.Size:][:sha256.Size]; !bytes.Equal(sum, make([]byte, sha256.Size)) {
			g.Special[i] = sum
		}
	}
	pages, err := file.HashPages(sha256.New())
	if err != nil {
		return err
	}
	if len(pages) != int(h.NCodeSlots) {
		return fmt.Errorf("%d pages, %d hashes", len(pages), h.NCodeSlots)
	}
	for i, sum := range pages {
		if !bytes.Equal(sum, raw[first+i*sha256.Size:][:sha256.Size]) {
			return fmt.Errorf("page %d was changed after it was signed", i)
		}
	}
	return nil
}

func text(raw []byte, at uint32) (string, error) {
	if uint64(at) >= uint64(len(raw)) {
		return "", errors.New("its identifier stands outside of it")
	}
	id, _, ended := bytes.Cut(raw[at:], []byte{0})
	if !ended {
		return "", errors.New("its identifier has no end")
	}
	return string(id), nil
}

// blobs are the parts of a signature that its CodeDirectory binds, by slot; quill has no reader for them.
func blobs(signature []byte) (map[int][]byte, error) {
	header := quill.SuperBlobHeader{}
	r := bytes.NewReader(signature)
	if err := binary.Read(r, binary.BigEndian, &header); err != nil || header.Magic != quill.MagicEmbeddedSignature {
		return nil, errors.New("not an embedded signature")
	}
	found := map[int][]byte{}
	for range header.Count {
		var index quill.BlobIndex
		if err := binary.Read(r, binary.BigEndian, &index); err != nil {
			return nil, err
		}
		slot := int(index.Type)
		if slot != slotRequirements && slot != slotEntitlements && slot != slotEntitlementsDER {
			continue
		}
		if uint64(index.Offset)+8 > uint64(len(signature)) {
			return nil, fmt.Errorf("the part for slot %d stands outside of it", slot)
		}
		length := binary.BigEndian.Uint32(signature[index.Offset+4:])
		if length < 8 || uint64(index.Offset)+uint64(length) > uint64(len(signature)) || found[slot] != nil {
			return nil, fmt.Errorf("the part for slot %d reaches out of it, or stands there twice", slot)
		}
		found[slot] = signature[index.Offset : index.Offset+length]
	}
	return found, nil
}

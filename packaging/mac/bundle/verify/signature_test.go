package verify

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"

	quill "github.com/anchore/quill/quill/macho"
	"github.com/stretchr/testify/require"
)

// made by hand: what stands in each slot of a signature.
func superblob(slots ...any) []byte {
	header := binary.BigEndian.AppendUint32(nil, uint32(quill.MagicEmbeddedSignature))
	header = append(header, 0, 0, 0, 0)
	header = binary.BigEndian.AppendUint32(header, uint32(len(slots)/2))
	var body []byte
	for i := 0; i < len(slots); i += 2 {
		header = binary.BigEndian.AppendUint32(header, uint32(slots[i].(quill.SlotType)))
		header = binary.BigEndian.AppendUint32(header, uint32(12+8*len(slots)/2+len(body)))
		content := slots[i+1].([]byte)
		body = binary.BigEndian.AppendUint32(body, 0xfade0c01)
		body = binary.BigEndian.AppendUint32(body, uint32(8+len(content)))
		body = append(body, content...)
	}
	return append(header, body...)
}

func TestTheBoundPartsAreFoundAmongTheOthers(t *testing.T) {
	got, err := blobs(superblob(quill.CsSlotCodedirectory, []byte("directory"), quill.CsSlotRequirements, []byte("none"),
		quill.SlotType(slotEntitlements), []byte("list"), quill.SlotType(slotEntitlementsDER), []byte("der")))
	require.NoError(t, err)
	require.Len(t, got, 3)
	for slot, want := range map[int]string{slotRequirements: "none", slotEntitlements: "list", slotEntitlementsDER: "der"} {
		require.Equal(t, want, string(got[slot][8:]))
	}
	got, err = blobs(superblob(quill.CsSlotCodedirectory, []byte("directory")))
	require.NoError(t, err)
	require.Empty(t, got)

	cut := superblob(quill.CsSlotRequirements, []byte("none"))
	for name, c := range map[string]struct {
		blob []byte
		says string
	}{
		"a text":         {[]byte("text"), "not an embedded signature"},
		"an index cut":   {cut[:14], "EOF"},
		"a part cut":     {cut[:len(cut)-1], "reaches out of it"},
		"a part outside": {cut[:20], "stands outside of it"},
		"a part twice":   {superblob(quill.CsSlotRequirements, []byte("a"), quill.CsSlotRequirements, []byte("b")), "stands there twice"},
	} {
		_, err := blobs(c.blob)
		require.ErrorContains(t, err, c.says, name)
	}
}

func FuzzNoSignatureMakesTheReaderFail(f *testing.F) {
	f.Add(superblob(quill.CsSlotRequirements, []byte("none"), quill.SlotType(slotEntitlementsDER), []byte{0x70, 3, 2, 1, 1}))
	f.Add([]byte{0x70, 12, 2, 1, 1, 0xb0, 7, 0x30, 5, 0x0c, 1, 'a', 1, 1, 0xff})
	f.Fuzz(func(t *testing.T, text []byte) {
		_, _ = blobs(text)
		_, _ = entitlementsOf(text)
	})
}

func TestAnIdentifierEndsInsideItsDirectory(t *testing.T) {
	id, err := text([]byte("....an.id\x00rest"), 4)
	require.NoError(t, err)
	require.Equal(t, "an.id", id)
	_, err = text([]byte("....an.id"), 4)
	require.ErrorContains(t, err, "no end")
	_, err = text([]byte("...."), 4)
	require.ErrorContains(t, err, "outside")
}

func TestHashesThatReachOutOfTheDirectoryAreTold(t *testing.T) {
	raw := make([]byte, 44+3*sha256.Size)
	for name, h := range map[string]quill.CodeDirectoryHeader{
		"before its beginning": {HashOffset: 44, NSpecialSlots: 2},
		"behind its end":       {HashOffset: 44, NCodeSlots: 4},
	} {
		g := Signature{Special: map[int][]byte{}}
		require.ErrorContains(t, g.slots(nil, raw, h), "reach out of it", name)
	}
}

func TestWhatIsNotSignedHasNoSignature(t *testing.T) {
	s := Slice{Arch: "arm64", content: made(command(0x32, 1, 12<<16, 12<<16, 0))}
	_, err := s.Signature()
	require.ErrorContains(t, err, "signature of the arm64 slice: there is none")

	s.content = made(command(0x1d, 4096, 16))
	_, err = s.Signature()
	require.ErrorContains(t, err, "does not end where the file ends")

	_, err = Slice{Arch: "arm64", content: []byte("#!/bin/sh")}.Signature()
	require.Error(t, err)
}

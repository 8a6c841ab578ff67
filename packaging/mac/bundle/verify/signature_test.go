package verify

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"

	quill "github.com/anchore/quill/quill/macho"
	"github.com/stretchr/testify/require"
)

// blobs is a signature made by hand: what stands in each slot.
func blobs(slots ...any) []byte {
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

func TestRequirementsAreFoundAmongTheOthers(t *testing.T) {
	got, err := requirements(blobs(quill.CsSlotCodedirectory, []byte("directory"), quill.CsSlotRequirements, []byte("none")))
	require.NoError(t, err)
	require.Equal(t, "none", string(got[8:]))

	cut := blobs(quill.CsSlotRequirements, []byte("none"))
	for says, blob := range map[string][]byte{
		"not an embedded signature": []byte("text"),
		"no requirements":           blobs(quill.CsSlotCodedirectory, []byte("directory")),
		"EOF":                       blobs(quill.CsSlotRequirements, []byte("none"))[:14],
	} {
		_, err := requirements(blob)
		require.ErrorContains(t, err, says)
	}
	_, err = requirements(cut[:len(cut)-1])
	require.ErrorContains(t, err, "no requirements", "they reach out of the signature")
	_, err = requirements(cut[:20])
	require.ErrorContains(t, err, "no requirements", "they begin outside of it")
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

package openmp

import (
	"bytes"
	"encoding/asn1"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"io"
	"slices"
)

// Signature is what the code signature of one architecture says of the process that it will be. It is read, not verified: the kernel does
// that.
type Signature struct {
	Signed            bool     `json:"signed"`
	AdHoc             bool     `json:"ad_hoc,omitempty"`             // signed by nobody, as Homebrew's, conda's and uv's
	Hardened          bool     `json:"hardened,omitempty"`           // with the hardened runtime, as python.org's
	Restricted        bool     `json:"restricted,omitempty"`         // its variables are the system's alone
	LibraryValidation bool     `json:"library_validation,omitempty"` // it loads what Apple or its own maker signed
	Entitlements      []string `json:"entitlements,omitempty"`       // those that are true, sorted
}

// What may undo the hardened runtime in part.
const (
	allowVariables = "com.apple.security.cs.allow-dyld-environment-variables"
	allowLibraries = "com.apple.security.cs.disable-library-validation"
)

// Magic numbers and flags of a signature, big-endian always. See <kern/cs_blobs.h>.
const (
	blobSignature  = 0xfade0cc0
	blobDirectory  = 0xfade0c02
	blobXML        = 0xfade7171
	blobDER        = 0xfade7172
	flagAdHoc      = 0x2
	flagRestrict   = 0x800
	flagValidation = 0x2000
	flagRuntime    = 0x10000

	maxBlobs = 64
	maxBlob  = 1 << 20 // bytes of entitlements
)

var errSignature = errors.New("its code signature makes no sense")

// signed reads the signature that LC_CODE_SIGNATURE points to. A file without one is not signed, which is no error.
func (m *machO) signed() (Signature, error) {
	s := Signature{Restricted: m.restrict}
	if m.signature.size == 0 {
		return s, nil
	}
	blob := m.body.part(m.signature.offset, m.signature.size)
	head, err := blob.at(0, 12)
	if err != nil {
		return s, err
	}
	count := int64(binary.BigEndian.Uint32(head[8:]))
	if binary.BigEndian.Uint32(head) != blobSignature || count > maxBlobs {
		return s, errSignature
	}
	index, err := blob.at(12, 8*count)
	if err != nil {
		return s, err
	}
	der := false
	for ; len(index) > 0; index = index[8:] {
		if err := s.take(blob, int64(binary.BigEndian.Uint32(index[4:])), &der); err != nil {
			return s, err
		}
	}
	slices.Sort(s.Entitlements)
	return s, nil
}

// take reads one blob of a signature. Where entitlements are there in both forms the DER form counts, which is what macOS 12 and later
// look at.
func (s *Signature) take(blob bounded, at int64, der *bool) error {
	head, err := blob.at(at, 8)
	if err != nil {
		return err
	}
	length := int64(binary.BigEndian.Uint32(head[4:]))
	switch binary.BigEndian.Uint32(head) {
	case blobDirectory:
		fields, err := blob.at(at, 16) // magic, length, version, flags
		if err != nil {
			return err
		}
		flags := binary.BigEndian.Uint32(fields[12:])
		s.Signed = true
		s.AdHoc = flags&flagAdHoc != 0
		s.Hardened = flags&flagRuntime != 0
		s.Restricted = s.Restricted || flags&flagRestrict != 0
		s.LibraryValidation = flags&flagValidation != 0
	case blobXML, blobDER:
		if length < 8 || length > maxBlob {
			return errSignature
		}
		body, err := blob.at(at+8, length-8)
		if err != nil {
			return err
		}
		if binary.BigEndian.Uint32(head) == blobDER {
			*der = true
			s.Entitlements, err = derEntitlements(nil, body, 0)
		} else if !*der {
			s.Entitlements, err = xmlEntitlements(body)
		}
		return err
	}
	return nil
}

// xmlEntitlements are the keys of a property list whose value is true.
func xmlEntitlements(list []byte) ([]string, error) {
	var all []string
	d := xml.NewDecoder(bytes.NewReader(list))
	key, inKey := "", false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, errSignature
		}
		switch t := token.(type) {
		case xml.StartElement:
			switch inKey = t.Name.Local == "key"; {
			case inKey:
				key = ""
			case t.Name.Local == "true" && key != "":
				all = append(all, key)
			}
		case xml.CharData:
			if inKey {
				key += string(t)
			}
		case xml.EndElement:
			if !inKey {
				key = "" // the value is over
			}
			inKey = false
		}
	}
}

// derEntitlements are the keys whose value is true in nested sequences of a UTF8String and a value.
func derEntitlements(all []string, der []byte, depth int) ([]string, error) {
	const deepest = 16
	if depth > deepest {
		return nil, errSignature
	}
	key := ""
	for len(der) > 0 {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(der, &v)
		if err != nil {
			return nil, errSignature
		}
		der = rest
		switch {
		case v.IsCompound:
			if all, err = derEntitlements(all, v.Bytes, depth+1); err != nil {
				return nil, err
			}
		case v.Class == asn1.ClassUniversal && v.Tag == asn1.TagUTF8String:
			key = string(v.Bytes)
		case v.Class == asn1.ClassUniversal && v.Tag == asn1.TagBoolean && key != "":
			if len(v.Bytes) == 1 && v.Bytes[0] != 0 {
				all = append(all, key)
			}
			key = ""
		}
	}
	return all, nil
}

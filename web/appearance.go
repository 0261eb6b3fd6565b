package web

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"io/fs"
	"regexp"
	"strings"

	"github.com/symbolon/symbolon"
)

// Appearance is how the owner has the pages look and speak. The zero value is how they
// come.
type Appearance struct {
	// Name is the service's, which stands at the head of each page and wherever the
	// service is named to people: "Symbolon" when it is empty.
	Name string
	// Logo is an SVG or PNG picture in place of ours, LogoDark another for dark screens.
	// Each may be nil. HideName leaves the name beside it out, for a logo that has it.
	Logo, LogoDark []byte
	HideName       bool
	// Accent is the colour of what can be pressed, and of the app's half of the token;
	// Second that of the account's half. Those for dark screens are found when they are
	// left out. Each is "#rrggbb", or empty.
	Accent, AccentDark, Second, SecondDark string
	// Imprint, Privacy, Terms and Help are https URLs that each page links to at its foot;
	// each may be empty.
	Imprint, Privacy, Terms, Help string
	// Texts has files of sentences, <language>.toml, that replace ours or add languages.
	// It may be nil.
	Texts fs.FS
	// Language is the one for people whose browsers name none that is there: "en" when it
	// is empty.
	Language string
}

// Check returns an error of kind Invalid that says what is wrong and what would do.
func (a *Appearance) Check() error {
	_, err := a.look()
	return err
}

// readyLook is an Appearance, checked and made ready.
type readyLook struct {
	speech *speech
	files  map[string][]byte // beside those of static/, by name
	logo   string            // the name of a file, or ""
	dark   string
	style  bool // there is a style sheet of the owner's colours
}

const (
	maxServiceName = 60
	maxLogo        = 256 << 10 // bytes
	maxLogoPixels  = 2048      // a side
)

func (a *Appearance) look() (*readyLook, error) {
	fault := func(format string, args ...any) (*readyLook, error) {
		return nil, symbolon.Errorf(symbolon.Invalid, "appearance", format, args...)
	}
	if a.Name != clean(a.Name, maxServiceName) {
		return fault("name is longer than %d characters, or has some that cannot be seen", maxServiceName)
	}
	l := &readyLook{files: map[string][]byte{}}
	for _, logo := range []struct {
		setting string
		content []byte
		name    *string
	}{{"logo", a.Logo, &l.logo}, {"logo_dark", a.LogoDark, &l.dark}} {
		if logo.content == nil {
			continue
		}
		ext, err := pictureType(logo.content)
		if err != nil {
			return fault("%s: %s", logo.setting, err)
		}
		*logo.name = logo.setting + ext
		l.files[*logo.name] = logo.content
	}
	if l.logo == "" && (l.dark != "" || a.HideName) {
		return fault("logo_dark and show_name are about a logo, and there is none")
	}
	for _, link := range a.links() {
		if link.URL != "" && (!strings.HasPrefix(link.URL, "https://") || outsideLink(link.URL) == "") {
			return fault("%s is to be an https URL", link.Name)
		}
	}
	style, err := a.style()
	if err != nil {
		return fault("%s", err)
	}
	if style != "" {
		l.style, l.files["appearance.css"] = true, []byte(style)
	}
	all, err := readLanguages(a.Texts)
	if err != nil {
		return nil, err
	}
	l.speech, err = newSpeech(all, cmp.Or(a.Language, firstLanguage))
	return l, err
}

// ownerLink is a link at the foot of each page.
type ownerLink struct{ Name, URL string }

func (a *Appearance) links() []ownerLink {
	return []ownerLink{{"imprint", a.Imprint}, {"privacy", a.Privacy}, {"terms", a.Terms}, {"help", a.Help}}
}

// pictureType returns the ending of a picture's file name, or why it is not taken.
func pictureType(content []byte) (string, error) {
	if len(content) > maxLogo {
		return "", fmt.Errorf("the picture is larger than %d KiB", maxLogo>>10)
	}
	if bytes.HasPrefix(content, []byte("\x89PNG\r\n\x1a\n")) {
		config, err := png.DecodeConfig(bytes.NewReader(content))
		if err != nil || config.Width > maxLogoPixels || config.Height > maxLogoPixels {
			return "", fmt.Errorf("the PNG cannot be read, or has a side of more than %d pixels", maxLogoPixels)
		}
		return ".png", nil
	}
	if err := checkSVG(content); err != nil {
		return "", err
	}
	return ".svg", nil
}

// svgElements may not be in a logo, svgReference is what an attribute may refer to.
var (
	svgElements  = map[string]bool{"script": true, "foreignobject": true, "iframe": true, "object": true, "embed": true, "audio": true, "video": true, "a": true, "handler": true, "listener": true}
	svgReference = regexp.MustCompile(`^\s*(#[\w.:-]*|data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*)\s*$`)
	svgStyle     = regexp.MustCompile(`(?i)@import|expression|javascript|url\(\s*['"]?\s*[^#'"\s)]`)
)

// checkSVG returns why an SVG is not taken. It is shown as a picture only, in which
// browsers run nothing and fetch nothing, and it is served with a policy that says the
// same; what would need either is most likely a mistake, and refused.
func checkSVG(content []byte) error {
	d := xml.NewDecoder(bytes.NewReader(content))
	depth, roots := 0, 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("the picture is neither PNG nor SVG in UTF-8 that can be read: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			name := strings.ToLower(t.Name.Local)
			if depth++; depth == 1 {
				if roots++; roots > 1 || name != "svg" || t.Name.Space != "http://www.w3.org/2000/svg" {
					return errors.New(`the picture is neither PNG nor SVG: its outermost element is to be <svg xmlns="http://www.w3.org/2000/svg">`)
				}
			}
			if depth > 100 || svgElements[name] {
				return fmt.Errorf("the SVG has <%s>, which a logo needs not; save it as plain SVG", name)
			}
			for _, a := range t.Attr {
				attr := strings.ToLower(a.Name.Local)
				switch {
				case strings.HasPrefix(attr, "on"):
					return fmt.Errorf("the SVG has %s, which would run a script; save it as plain SVG", attr)
				case (attr == "href" || attr == "src" || attr == "base") && !svgReference.MatchString(a.Value):
					return fmt.Errorf("the SVG refers to something outside of itself by %s; save it as plain SVG, with pictures embedded", attr)
				case a.Name.Space != "xmlns" && attr != "xmlns" && attr != "href" && svgStyle.MatchString(a.Value):
					return fmt.Errorf("the SVG refers to something outside of itself by %s; save it as plain SVG, with pictures embedded", attr)
				}
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if svgStyle.Match(t) {
				return errors.New("the SVG refers to something outside of itself in its styles; save it as plain SVG, with pictures embedded")
			}
		case xml.Directive:
			if !regexp.MustCompile(`(?i)^DOCTYPE\s+svg(\s+PUBLIC\s+"[^"\[]*"\s+"[^"\[]*")?\s*$`).Match(t) {
				return errors.New("the SVG declares entities; save it as plain SVG")
			}
		case xml.ProcInst:
			if t.Target != "xml" {
				return errors.New("the SVG names a style sheet; save it as plain SVG")
			}
		}
	}
	if roots == 0 {
		return errors.New("the picture is neither PNG nor SVG")
	}
	return nil
}

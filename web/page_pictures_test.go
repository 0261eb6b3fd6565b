package web

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cdp "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// picturesDir has a picture of every page, for people who read the documents.
const picturesDir = "../docs/screenshots"

// TestPictures holds docs/screenshots to the pages that there are. With
// SYMBOLON_PICTURES set, as “make screenshots” does, it makes the pictures anew, of the
// fullest sample of each page.
func TestPictures(t *testing.T) {
	pages := newPages(t)
	samples := pageSamples()
	fullest := fullestSamples(t, pages)
	names := make([]string, 0, len(fullest))
	for name := range fullest {
		names = append(names, name)
	}
	slices.Sort(names)
	var index bytes.Buffer
	index.WriteString("# Every page\n\nMade by `make screenshots`, in English and in light colours; each page is there in dark ones and in Czech as well, and as wide as a phone.\n")
	for _, name := range names {
		fmt.Fprintf(&index, "\n## %s\n\n![The page %s](%s.webp)\n", strings.ReplaceAll(name, "-", " "), strings.ReplaceAll(name, "-", " "), name)
	}
	if os.Getenv("SYMBOLON_PICTURES") != "" {
		ctx := newChromium(t)
		server := serveSamples(t, pages)
		for _, name := range names {
			on := screen{"picture", 720, 480, "light", 1}
			if strings.HasPrefix(name, "console") || strings.HasPrefix(name, "trail") || strings.HasPrefix(name, "docs") || name == "playground" {
				on.width = 1100
			}
			whole := true
			if sample := samples[fullest[name]]; sample.headers().English { // documents: what stands at their top
				on.height, whole = 1200, false
			}
			if err := show(ctx, on, fmt.Sprintf("%s/%d", server.URL, fullest[name])); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			shot, err := chromedp.Call(ctx, cdp.CaptureScreenshot, cdp.CaptureScreenshotParams{
				Format: "webp", Quality: new(int64(80)), CaptureBeyondViewport: new(whole), FromSurface: new(true), // WebP: a tenth of PNG
			})
			if err == nil {
				err = os.WriteFile(filepath.Join(picturesDir, name+".webp"), shot.Data, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(picturesDir, "README.md"), index.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	has, err := filepath.Glob(filepath.Join(picturesDir, "*.webp"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range has {
		if name := strings.TrimSuffix(filepath.Base(path), ".webp"); !slices.Contains(names, name) {
			t.Errorf("%s is the picture of no page", path)
		}
	}
	for _, name := range names {
		if !slices.Contains(has, filepath.Join(picturesDir, name+".webp")) {
			t.Errorf("there is no picture of the page %s; “make screenshots” makes it", name)
		}
	}
	if said, err := os.ReadFile(filepath.Join(picturesDir, "README.md")); err != nil || !bytes.Equal(said, index.Bytes()) {
		t.Errorf("docs/screenshots/README.md lists other pages (%v); “make screenshots” writes it", err)
	}
}

// fullestSamples returns the number of the longest sample of each page, by template.
func fullestSamples(t *testing.T, pages *Pages) map[string]int {
	t.Helper()
	fullest, size := map[string]int{}, map[string]int{}
	for i, sample := range pageSamples() {
		name := sample.template()
		body, err := pages.draw(firstLanguage, "/", sample)
		if err != nil {
			t.Fatal(err)
		}
		if len(body) > size[name] {
			fullest[name], size[name] = i, len(body)
		}
	}
	return fullest
}

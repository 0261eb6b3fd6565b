package web

import (
	"net/netip"
	"strings"

	"github.com/symbolon/symbolon"
)

// What a browser says of itself, in a few words: the first name that is in it counts,
// since each browser names those before it as well.
var (
	browserNames = [][2]string{
		{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"}, {"OPR/", "Opera"}, {"OPT/", "Opera"},
		{"SamsungBrowser/", "Samsung Internet"}, {"Vivaldi/", "Vivaldi"}, {"YaBrowser/", "Yandex Browser"},
		{"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"CriOS/", "Chrome"}, {"HeadlessChrome/", "Chrome"},
		{"Chrome/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"},
	}
	systemNames = [][2]string{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"},
		{"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"}, {"FreeBSD", "FreeBSD"},
	}
)

// agentOf returns what a browser is, such as "Firefox on Linux", or nothing where the
// header says none that is known: what a stranger wrote is never kept.
func agentOf(header string) string {
	header = header[:min(len(header), 1024)]
	named := func(list [][2]string) string {
		for _, n := range list {
			if strings.Contains(header, n[0]) {
				return n[1]
			}
		}
		return ""
	}
	browser, system := named(browserNames), named(systemNames)
	switch {
	case browser == "":
		return system
	case system == "":
		return browser
	}
	agent := browser + " on " + system
	return agent[:min(len(agent), symbolon.MaxAgent)]
}

// netipOf reads an address that Handler.address returned.
func netipOf(text string) netip.Addr {
	a, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return a.WithZone("").Unmap()
}

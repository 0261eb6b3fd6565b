package metrics

// WatchSignIns has throttled asked at each scrape for how many attempts to sign in
// were refused since too many came before. It is called once.
func (m *Metrics) WatchSignIns(throttled func() uint64) {
	m.counterOf("sign_ins_throttled_total", "Attempts to sign in that were not looked at since too many came before.", throttled)
}

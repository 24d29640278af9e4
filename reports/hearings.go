package reports

// hearingResults are what subscribing devices heard, by sender and receiver.
func hearingResults(in *Input) []HearingResult {
	var list []HearingResult
	for _, h := range in.Ledger.Hearings {
		from := &in.Plan.Fleets[h.From]
		r := HearingResult{From: from.Name, Stream: from.Streams()[h.Stream].Name, Hearing: h}
		for _, to := range h.To {
			r.To = append(r.To, in.Plan.Fleets[to].Name)
		}
		list = append(list, r)
	}
	return list
}

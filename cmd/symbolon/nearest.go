package main

// slips is how many letters a name may be off to be taken for another.
const slips = 2

// nearest returns the name that was probably meant, or empty when none is near.
func nearest(wrong string, names []string) string {
	best, at := "", slips+1
	for _, name := range names {
		if n := distance(wrong, name); n < at {
			best, at = name, n
		}
	}
	return best
}

// distance is how many letters have to be put in, left out or replaced to get from one
// name to the other (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1) // from what of a was seen to each beginning of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, row[j]+1, before+1)
		}
	}
	return row[len(b)]
}

#!/bin/sh
# skipped.sh LOG...: prints each reason for which tests were skipped once, with the first of them. A log says it in a
# line "skipped: NAME: why".
exec awk '/^skipped: [^:]*: / {
		name = substr($0, 10)
		why = substr(name, index(name, ": ") + 2)
		name = substr(name, 1, index(name, ": ") - 1)
		if (!(why in count)) {
			first[why] = name
			order[++reasons] = why
		}
		count[why]++
	}
	END {
		for (i = 1; i <= reasons; i++) {
			why = order[i]
			more = count[why] > 1 ? " and " (count[why] - 1) " more" : ""
			print "skipped: " first[why] more ": " why
		}
	}' "$@"

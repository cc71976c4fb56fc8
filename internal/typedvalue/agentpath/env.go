// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package agentpath

// EnvName returns the name of the environment variable for a canonical path:
// the words of all segments in upper case, joined by underscores, such as
// AWS_ACCESS_KEY_ID for ["awsAccessKeyId"]. It reports false where that is no
// portable name: a letter outside ASCII, or a digit at the start. Different
// paths can have the same name, and it can be longer than a key of a Secret
// may be; both are for the caller to deal with.
func EnvName(path []string) (string, bool) {
	name := make([]byte, 0, 64) // longer ones grow
	for i, segment := range path {
		if segment == "" {
			return "", false
		}
		if i > 0 {
			name = append(name, '_')
		}
		for j := range len(segment) {
			c := segment[j]
			switch {
			case '0' <= c && c <= '9':
			case 'a' <= c && c <= 'z':
				c -= 'a' - 'A'
			case 'A' <= c && c <= 'Z':
				// A capital begins a word in a canonical segment.
				if j > 0 {
					name = append(name, '_')
				}
			default:
				return "", false
			}
			name = append(name, c)
		}
	}
	if len(name) == 0 || '0' <= name[0] && name[0] <= '9' {
		return "", false
	}
	return string(name), true
}

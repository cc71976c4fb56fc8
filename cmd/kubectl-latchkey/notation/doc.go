// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package notation is how people write the types of agent secrets, in the manner of WIT:
//
//	string                                  bool, s8 … s64, u8 … u64, f32, f64, char
//	option<T>  list<T>  tuple<A, B>
//	record{host: string, port: u16}
//	variant{none, some(string)}
//	enum{a, b}  flags{a, b}
//	result<T, E>  result<T>  result<_, E>  result
//
// White space between the words does not count. A name that is no word of letters,
// digits, _ and - is a JSON string. Wherever a type may stand, its JSON form may: a
// Handle, and a type with a name or an owner, have no other.
//
// The notation is another spelling of the JSON form, and typedvalue reads and prints that.
// So only one place defines what a type is.
package notation

const (
	wordOption  = "option"
	wordList    = "list"
	wordTuple   = "tuple"
	wordRecord  = "record"
	wordVariant = "variant"
	wordEnum    = "enum"
	wordFlags   = "flags"
	wordResult  = "result"
)

// tagByWord are the tags of scalars, by their word.
var tagByWord = map[string]string{
	"bool": "Bool", "char": "Chr", "string": "Str", "f32": "F32", "f64": "F64",
	"s8": "S8", "s16": "S16", "s32": "S32", "s64": "S64", "u8": "U8", "u16": "U16", "u32": "U32", "u64": "U64",
}

// wordByTag are the words of scalars, by their tag.
var wordByTag = func() map[string]string {
	words := make(map[string]string, len(tagByWord))
	for word, tag := range tagByWord {
		words[tag] = word
	}
	return words
}()

// wordOf returns the word that a text begins with.
func wordOf(text string) string {
	isWord := func(i int, c byte) bool {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		return letter || i > 0 && (c == '-' || '0' <= c && c <= '9')
	}
	for i := range len(text) {
		if !isWord(i, text[i]) {
			return text[:i]
		}
	}
	return text
}

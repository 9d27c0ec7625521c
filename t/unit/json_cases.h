/* Texts that are JSON, and texts that are not, for test_json.c. */

#ifndef JSON_CASES_H
#define JSON_CASES_H


#define bytes(s)  (s), sizeof(s) - 1

#define ARRAY     NGX_HTTP_KAIROS_JSON_ARRAY
#define BOOL      NGX_HTTP_KAIROS_JSON_BOOL
#define NUL       NGX_HTTP_KAIROS_JSON_NULL
#define NUMBER    NGX_HTTP_KAIROS_JSON_NUMBER
#define OBJECT    NGX_HTTP_KAIROS_JSON_OBJECT
#define STRING    NGX_HTTP_KAIROS_JSON_STRING


static const struct {
    const char                   *name;
    const char                   *text;
    size_t                        len;
    ngx_http_kairos_json_type_e   type;
} valid[] = {
    { "null", bytes("null"), NUL },
    { "true", bytes("true"), BOOL },
    { "false", bytes("false"), BOOL },
    { "zero", bytes("0"), NUMBER },
    { "minus zero", bytes("-0"), NUMBER },
    { "integer", bytes("1234567890"), NUMBER },
    { "negative", bytes("-12"), NUMBER },
    { "fraction", bytes("0.50"), NUMBER },
    { "exponent", bytes("1e5"), NUMBER },
    { "exponents with signs", bytes("[1E+5,1e-5,-0.1E007]"), ARRAY },
    { "number beyond a double", bytes("1E400"), NUMBER },
    { "number beyond any type",
      bytes("123456789012345678901234567890.12345678901234567890e99999"),
      NUMBER },
    { "empty string", bytes("\"\""), STRING },
    { "string", bytes("\"hello\""), STRING },
    { "string of more than a word", bytes("\"0123456789abcdef01\""), STRING },
    { "all short escapes", bytes("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), STRING },
    { "\\u escapes", bytes("\"\\u0041\\uABCD\\uabcd\\uFFFF\""), STRING },
    { "\\u0000", bytes("\"\\u0000\""), STRING },
    { "surrogate pair", bytes("\"\\ud83d\\ude00\""), STRING },
    { "the lowest and highest pairs",
      bytes("\"\\uD800\\uDC00\\uDBFF\\uDFFF\""), STRING },
    { "DEL and UTF-8", bytes("\"\x7f\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""),
      STRING },
    { "U+2028", bytes("\"\xe2\x80\xa8\""), STRING },
    { "noncharacter", bytes("\"\xef\xbf\xbf\""), STRING },
    { "quote at a word's end", bytes("\"1234567\""), STRING },
    { "escape over words", bytes("\"123456\\\"8901234\\n678\""), STRING },
    { "empty array", bytes("[]"), ARRAY },
    { "empty array with space", bytes("[ \t\r\n]"), ARRAY },
    { "array", bytes("[1,\"a\",null,true,[],{}]"), ARRAY },
    { "empty object", bytes("{}"), OBJECT },
    { "empty object with space", bytes("{ }"), OBJECT },
    { "object", bytes("{\"a\":1,\"b\":[2,{\"c\":null}]}"), OBJECT },
    { "equal names", bytes("{\"a\":1,\"a\":2}"), OBJECT },
    { "empty name", bytes("{\"\":1}"), OBJECT },
    { "space everywhere",
      bytes("{ \"a\" : [ 1 , 2 ] ,\n\"b\"\t:\r{ } }"), OBJECT },
    { "nested", bytes("[[[{\"a\":[{}]}]],[]]"), ARRAY }
};


static const struct {
    const char  *name;
    const char  *text;
    size_t       len;
} invalid[] = {
    { "nothing", bytes("") },
    { "space alone", bytes(" \n") },
    { "NUL byte", bytes("\0") },
    { "nul", bytes("nul") },
    { "nulL", bytes("nulL") },
    { "True", bytes("True") },
    { "fals", bytes("fals") },
    { "NaN", bytes("NaN") },
    { "Infinity", bytes("Infinity") },
    { "-Infinity", bytes("-Infinity") },
    { "undefined", bytes("undefined") },
    { "minus", bytes("-") },
    { "minus and a letter", bytes("-a") },
    { "plus", bytes("+1") },
    { "leading dot", bytes(".5") },
    { "trailing dot", bytes("5.") },
    { "dot and exponent", bytes("5.e1") },
    { "no exponent", bytes("5e") },
    { "no exponent behind a sign", bytes("5e+") },
    { "leading zero", bytes("[01]") },
    { "leading zero, negative", bytes("[-01]") },
    { "hexadecimal", bytes("[0x1]") },
    { "two numbers", bytes("[1 2]") },
    { "single quotes", bytes("'a'") },
    { "string without an end", bytes("\"abc") },
    { "long string without an end", bytes("\"0123456789abcdef") },
    { "string ends with a backslash", bytes("\"abc\\") },
    { "string ends with an escaped quote", bytes("\"abc\\\"") },
    { "string ends within an escape", bytes("\"abc\\u12") },
    { "unknown escape", bytes("\"\\a\"") },
    { "escaped NUL byte", bytes("\"\\\0\"") },
    { "\\U", bytes("\"\\U0041\"") },
    { "\\u of three digits", bytes("\"\\u004\"") },
    { "\\u of a letter", bytes("\"\\u004g\"") },
    { "\\u of a sign", bytes("\"\\u+041\"") },
    { "\\u of a space", bytes("\"\\u 041\"") },
    { "NUL byte in a string", bytes("\"a\0b\"") },
    { "line feed in a string", bytes("\"a\nb\"") },
    { "tab in a word of a string", bytes("\"abc\tdefghijk\"") },
    { "U+001F in a string", bytes("\"\x1f\"") },
    { "high surrogate at the end", bytes("\"\\ud83d\"") },
    { "high surrogate and text", bytes("\"\\ud83dabcdefgh\"") },
    { "high surrogate and an escape", bytes("\"\\ud83d\\n12345\"") },
    { "high surrogate twice", bytes("\"\\ud83d\\ud83d\"") },
    { "high surrogate and a letter", bytes("\"\\ud83d\\u0041\"") },
    { "high surrogate and no hex", bytes("\"\\ud83d\\uzzzz\"") },
    { "low surrogate", bytes("\"\\ude00\"") },
    { "low surrogate twice, the lowest", bytes("\"\\udc00\\udc00\"") },
    { "surrogates in the wrong order", bytes("\"\\ude00\\ud83d\"") },
    { "low surrogate in a name", bytes("{\"\\udfff\":1}") },
    { "raw surrogate", bytes("\"\xed\xa0\xbd\"") },
    { "latin1", bytes("\"\xe9\"") },
    { "continuation", bytes("\"\x80\"") },
    { "overlong", bytes("\"\xc0\xaf\"") },
    { "character cut by the quote", bytes("\"\xe2\x82\"") },
    { "character cut by the end", bytes("\"\xe2\x82") },
    { "bad UTF-8 in a name", bytes("{\"\xff\":1}") },
    { "UTF-8 outside a string", bytes("\xc3\xa9") },
    { "byte order mark", bytes("\xef\xbb\xbf{}") },
    { "form feed as space", bytes("[\f]") },
    { "no-break space", bytes("[\xc2\xa0]") },
    { "array without an end", bytes("[1") },
    { "array without an end, comma", bytes("[1,") },
    { "array not even begun", bytes("[") },
    { "trailing comma", bytes("[1,]") },
    { "leading comma", bytes("[,1]") },
    { "two commas", bytes("[1,,2]") },
    { "array closed by a brace", bytes("[1}") },
    { "object closed by a bracket", bytes("{\"a\":1]") },
    { "inner brackets crossed", bytes("[{\"a\":[}]]") },
    { "object without an end", bytes("{\"a\":1") },
    { "object not even begun", bytes("{") },
    { "name without a colon", bytes("{\"a\" 1}") },
    { "name without a value", bytes("{\"a\":}") },
    { "name at the end", bytes("{\"a\"") },
    { "colon at the end", bytes("{\"a\":") },
    { "value without a name", bytes("{1}") },
    { "number as a name", bytes("{1:2}") },
    { "null as a name", bytes("{null:2}") },
    { "bare name", bytes("{a:2}") },
    { "trailing comma in an object", bytes("{\"a\":1,}") },
    { "colon in an array", bytes("[\"a\":1]") },
    { "comment", bytes("[1/**/]") },
    { "closing bracket", bytes("]") },
    { "colon", bytes(":") }
};


#endif /* JSON_CASES_H */

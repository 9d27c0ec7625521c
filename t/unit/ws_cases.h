/* Input of test_ws.c, and the results that the reader must return. */

#ifndef WS_CASES_H
#define WS_CASES_H


#define bytes(s)        (s), sizeof(s) - 1

#define FIN             0x80
#define RSV1            0x40
#define RSV2            0x20
#define RSV3            0x10
#define CONT            NGX_HTTP_KAIROS_WS_CONTINUATION
#define TEXT            NGX_HTTP_KAIROS_WS_TEXT
#define BINARY          NGX_HTTP_KAIROS_WS_BINARY
#define CLOSE           NGX_HTTP_KAIROS_WS_CLOSE
#define PING            NGX_HTTP_KAIROS_WS_PING
#define PONG            NGX_HTTP_KAIROS_WS_PONG

/* forms of a length; 0 is the shortest that does */
#define FORM_16         16
#define FORM_64         64
#define UNMASKED        128

#define MAX_FRAMES      8


typedef struct {
    unsigned     first;
    const char  *payload;
    size_t       len;
    unsigned     form;
} frame_t;


typedef struct {
    const char  *name;
    const char  *expect;
    frame_t      frames[MAX_FRAMES];
} case_t;


static const case_t  cases[] = {

    { "text", "text:hello", {
        { FIN|TEXT, bytes("hello"), 0 } } },
    { "binary", "binary:\xff\xfe", {
        { FIN|BINARY, bytes("\xff\xfe"), 0 } } },
    { "empty text", "text:", {
        { FIN|TEXT, bytes(""), 0 } } },
    { "empty binary", "binary:", {
        { FIN|BINARY, bytes(""), 0 } } },
    { "two messages", "text:one text:two", {
        { FIN|TEXT, bytes("one"), 0 }, { FIN|TEXT, bytes("two"), 0 } } },
    { "fragments", "text:one two three", {
        { TEXT, bytes("one "), 0 }, { CONT, bytes("two "), 0 },
        { FIN|CONT, bytes("three"), 0 } } },
    { "empty fragments", "binary:x", {
        { BINARY, bytes(""), 0 }, { CONT, bytes(""), 0 },
        { CONT, bytes("x"), 0 }, { FIN|CONT, bytes(""), 0 } } },
    { "nothing but empty fragments", "text:", {
        { TEXT, bytes(""), 0 }, { CONT, bytes(""), 0 },
        { FIN|CONT, bytes(""), 0 } } },
    { "message after fragments", "text:ab binary:c", {
        { TEXT, bytes("a"), 0 }, { FIN|CONT, bytes("b"), 0 },
        { FIN|BINARY, bytes("c"), 0 } } },

    { "ping", "ping:abc", {
        { FIN|PING, bytes("abc"), 0 } } },
    { "empty ping", "ping:", {
        { FIN|PING, bytes(""), 0 } } },
    { "pong", "pong:abc", {
        { FIN|PONG, bytes("abc"), 0 } } },
    { "ping of any bytes", "ping:\xff\x80", {
        { FIN|PING, bytes("\xff\x80"), 0 } } },
    { "ping between fragments", "ping:p text:ab", {
        { TEXT, bytes("a"), 0 }, { FIN|PING, bytes("p"), 0 },
        { FIN|CONT, bytes("b"), 0 } } },
    { "ping within a character", "ping:\x82 text:\xe2\x82\xac", {
        { TEXT, bytes("\xe2"), 0 }, { FIN|PING, bytes("\x82"), 0 },
        { FIN|CONT, bytes("\x82\xac"), 0 } } },
    { "fragmented ping", "fail:1002", {
        { PING, bytes("a"), 0 }, { FIN|CONT, bytes("b"), 0 } } },
    { "fragmented close", "fail:1002", {
        { CLOSE, bytes("\x03\xe8"), 0 } } },
    { "ping with a 16-bit length", "fail:1002", {
        { FIN|PING, bytes("abc"), FORM_16 } } },
    { "ping with a 64-bit length", "fail:1002", {
        { FIN|PING, bytes("abc"), FORM_64 } } },
    { "pong with a 16-bit length", "fail:1002", {
        { FIN|PONG, bytes("abc"), FORM_16 } } },

    { "RSV1", "fail:1002", { { FIN|RSV1|TEXT, bytes("a"), 0 } } },
    { "RSV2", "fail:1002", { { FIN|RSV2|TEXT, bytes("a"), 0 } } },
    { "RSV3", "fail:1002", { { FIN|RSV3|TEXT, bytes("a"), 0 } } },
    { "RSV1 on a ping", "fail:1002", { { FIN|RSV1|PING, bytes(""), 0 } } },
    { "RSV1 on a continuation", "fail:1002", {
        { TEXT, bytes("a"), 0 }, { FIN|RSV1|CONT, bytes("b"), 0 } } },
    { "opcode 3", "fail:1002", { { FIN|3, bytes("a"), 0 } } },
    { "opcode 4", "fail:1002", { { FIN|4, bytes("a"), 0 } } },
    { "opcode 5", "fail:1002", { { FIN|5, bytes("a"), 0 } } },
    { "opcode 6", "fail:1002", { { FIN|6, bytes("a"), 0 } } },
    { "opcode 7", "fail:1002", { { FIN|7, bytes("a"), 0 } } },
    { "opcode 11", "fail:1002", { { FIN|11, bytes("a"), 0 } } },
    { "opcode 12", "fail:1002", { { FIN|12, bytes("a"), 0 } } },
    { "opcode 13", "fail:1002", { { FIN|13, bytes("a"), 0 } } },
    { "opcode 14", "fail:1002", { { FIN|14, bytes("a"), 0 } } },
    { "opcode 15", "fail:1002", { { FIN|15, bytes("a"), 0 } } },
    { "continuation at first", "fail:1002", {
        { FIN|CONT, bytes("a"), 0 } } },
    { "continuation after a message", "text:a fail:1002", {
        { FIN|TEXT, bytes("a"), 0 }, { FIN|CONT, bytes("b"), 0 } } },
    { "continuation after the last", "text:ab fail:1002", {
        { TEXT, bytes("a"), 0 }, { FIN|CONT, bytes("b"), 0 },
        { CONT, bytes("c"), 0 } } },
    { "text within a message", "fail:1002", {
        { TEXT, bytes("a"), 0 }, { FIN|TEXT, bytes("b"), 0 } } },
    { "binary within an empty message", "fail:1002", {
        { TEXT, bytes(""), 0 }, { BINARY, bytes("b"), 0 } } },
    { "no mask", "fail:1002", {
        { FIN|TEXT, bytes("hello"), UNMASKED } } },
    { "no mask, no payload", "fail:1002", {
        { FIN|TEXT, bytes(""), UNMASKED } } },
    { "no mask on a ping", "text:a fail:1002", {
        { FIN|TEXT, bytes("a"), 0 }, { FIN|PING, bytes("a"), UNMASKED } } },
    { "short length in 16 bits", "fail:1002", {
        { FIN|TEXT, bytes("hello"), FORM_16 } } },
    { "short length in 64 bits", "fail:1002", {
        { FIN|TEXT, bytes("hello"), FORM_64 } } },
    { "nothing is read behind a failure", "text:a fail:1002", {
        { FIN|TEXT, bytes("a"), 0 }, { FIN|3, bytes(""), 0 },
        { FIN|TEXT, bytes("b"), 0 }, { FIN|PING, bytes("c"), 0 } } },

    { "close", "close:1005:", {
        { FIN|CLOSE, bytes(""), 0 } } },
    { "close 1000", "close:1000:", {
        { FIN|CLOSE, bytes("\x03\xe8"), 0 } } },
    { "close with a reason", "close:1001:going \xe2\x82\xac", {
        { FIN|CLOSE, bytes("\x03\xe9going \xe2\x82\xac"), 0 } } },
    { "close within a message", "close:1000:", {
        { TEXT, bytes("a"), 0 }, { FIN|CLOSE, bytes("\x03\xe8"), 0 } } },
    { "nothing is read behind a close", "text:a close:1000:", {
        { FIN|TEXT, bytes("a"), 0 }, { FIN|CLOSE, bytes("\x03\xe8"), 0 },
        { FIN|TEXT, bytes("b"), 0 }, { FIN|3, bytes("c"), UNMASKED } } },
    { "half a close code", "fail:1002", {
        { FIN|CLOSE, bytes("\x03"), 0 } } },
    { "close reason not UTF-8", "fail:1007", {
        { FIN|CLOSE, bytes("\x03\xe8\xff"), 0 } } },
    { "close reason with half a character", "fail:1007", {
        { FIN|CLOSE, bytes("\x03\xe8\xe2\x82"), 0 } } },
    { "bad close code with a bad reason", "fail:1002", {
        { FIN|CLOSE, bytes("\x03\xed\xff"), 0 } } },

    { "UTF-8", "text:\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", {
        { FIN|TEXT, bytes("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), 0 } } },
    { "UTF-8 cut by fragments", "text:\xf0\x9f\x98\x80", {
        { TEXT, bytes("\xf0"), 0 }, { CONT, bytes("\x9f"), 0 },
        { CONT, bytes(""), 0 }, { CONT, bytes("\x98"), 0 },
        { FIN|CONT, bytes("\x80"), 0 } } },
    { "text not UTF-8", "fail:1007", {
        { FIN|TEXT, bytes("a\xff"), 0 } } },
    { "text not UTF-8, not the last fragment", "fail:1007", {
        { TEXT, bytes("a\xff"), 0 } } },
    { "overlong form", "fail:1007", {
        { FIN|TEXT, bytes("\xc0\x80"), 0 } } },
    { "surrogate", "fail:1007", {
        { FIN|TEXT, bytes("\xed\xa0\x80"), 0 } } },
    { "above U+10FFFF, cut by fragments", "fail:1007", {
        { TEXT, bytes("\xf4"), 0 }, { FIN|CONT, bytes("\x90\x80\x80"), 0 } } },
    { "text ends within a character", "fail:1007", {
        { FIN|TEXT, bytes("a\xe2\x82"), 0 } } },
    { "text ends within a character, empty last", "fail:1007", {
        { TEXT, bytes("a\xe2\x82"), 0 }, { FIN|CONT, bytes(""), 0 } } },
    { "binary is not checked", "binary:\xe2\x82 text:a", {
        { BINARY, bytes("\xe2"), 0 }, { FIN|CONT, bytes("\x82"), 0 },
        { FIN|TEXT, bytes("a"), 0 } } }
};


static const struct {
    const char  *name;
    const char  *expect;
    const char  *wire;
    size_t       len;
} raw_cases[] = {
    { "length with the highest bit", "fail:1002",
      bytes("\x82\xff\x80") },
    { "the largest length", "fail:1009",
      bytes("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff") },
    { "a length that is 0 in 32 bits", "fail:1009",
      bytes("\x82\xff\0\0\0\1\0\0\0\0") },
    { "the largest length of a continuation", "fail:1009",
      bytes("\x02\x81\0\0\0\0x"
            "\x80\xff\x7f\xff\xff\xff\xff\xff\xff\xff") },
    { "125 in 16 bits", "fail:1002", bytes("\x82\xfe\0\x7d") },
    { "65535 in 64 bits", "fail:1002",
      bytes("\x82\xff\0\0\0\0\0\0\xff\xff") },
    { "a bad first byte is enough", "fail:1002", bytes("\x83") },
    { "an unmasked second byte is enough", "fail:1002", bytes("\x81\x05") },
    { "HTTP/1.1", "fail:1002", bytes("GET / HTTP/1.1\r\n\r\n") },
    { "TLS", "fail:1002", bytes("\x16\x03\x01\x02") },
    { "a header that is cut", "", bytes("\x81\x85\x01\x02") },
    { "a payload that is cut", "", bytes("\x81\x85\0\0\0\0hell") },
    { "a control frame that is cut", "", bytes("\x89\x85\0\0\0\0hell") }
};


#endif /* WS_CASES_H */

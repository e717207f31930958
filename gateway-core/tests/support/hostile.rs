//! What hostile targets answer, and what becomes of it. One table for two readers: the pure parsers, in every split, and a
//! gateway on real sockets.

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is passed on with this body, and its connection may be used again.
    Kept(&'static str),
    /// It is passed on with this body, and its connection ends.
    Ended(&'static str),
    /// It never looks whole to the client.
    Bad,
}

/// A name, the bytes before the target closes, and their fate.
pub(crate) type Case = (&'static str, Vec<u8>, Fate);

/// The table. Endless answers are as long as needed to go beyond every limit.
pub(crate) fn cases() -> Vec<Case> {
    [heads(), framings(), chunks(), endless()].concat()
}

/// Answers in full that nothing is wrong with; cut anywhere, they are bad.
pub(crate) fn valid() -> [&'static [u8]; 3] {
    [
        b"HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=\"y\"\r\nlo\r\n0\r\nx: y\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    ]
}

fn case(name: &'static str, bytes: impl AsRef<[u8]>, fate: Fate) -> Case {
    (name, bytes.as_ref().to_vec(), fate)
}

fn ok(fields: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n")
}

fn heads() -> Vec<Case> {
    use Fate::{Bad, Ended, Kept};
    vec![
        case("no HTTP", "nonsense\r\n\r\n", Bad),
        case("nothing", "", Bad),
        case("an old way", "HTTP/0.9 200 OK\r\n\r\nhello", Bad),
        case("a new way", "HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n", Bad),
        case("status 99", "HTTP/1.1 99 Low\r\ncontent-length: 0\r\n\r\n", Bad),
        case("status 099", "HTTP/1.1 099 Low\r\ncontent-length: 0\r\n\r\n", Bad),
        case("status 1000", "HTTP/1.1 1000 High\r\ncontent-length: 0\r\n\r\n", Bad),
        case("status 999", "HTTP/1.1 999 Odd\r\ncontent-length: 5\r\n\r\nhello", Kept("hello")),
        case("a word for a status", "HTTP/1.1 OK 200\r\ncontent-length: 0\r\n\r\n", Bad),
        case("a signed status", "HTTP/1.1 +20 OK\r\ncontent-length: 0\r\n\r\n", Bad),
        case("no reason", "HTTP/1.1 200\r\ncontent-length: 5\r\n\r\nhello", Kept("hello")),
        case("a field without a colon", ok("content-length: 0\r\nnonsense"), Bad),
        case("a space before a colon", ok("content-length : 0"), Bad),
        case("a field without a name", ok(": x\r\ncontent-length: 0"), Bad),
        case("a folded field", ok("x-a: b\r\n c\r\ncontent-length: 0"), Bad),
        case("NUL in a value", ok("x-a: b\0c\r\ncontent-length: 0"), Bad),
        case("NUL in a name", ok("x\0a: b\r\ncontent-length: 0"), Bad),
        case("a control character in a value", ok("x-a: \x01\r\ncontent-length: 0"), Bad),
        case("a bare carriage return", ok("x-a: b\rc\r\ncontent-length: 0"), Bad),
        case("a switch nobody asked for", ok("upgrade: websocket").replace("200 OK", "101 Switching"), Bad),
        case("HTTP/1.0", ok("content-length: 5").replace("1.1", "1.0") + "hello", Ended("hello")),
        case("a farewell", ok("connection: x, Close\r\ncontent-length: 5") + "hello", Ended("hello")),
        case("bare line feeds", "HTTP/1.1 200 OK\ncontent-length: 5\n\nhello", Kept("hello")),
    ]
}

fn framings() -> Vec<Case> {
    use Fate::{Bad, Ended};
    vec![
        case("length and chunked", ok("content-length: 5\r\ntransfer-encoding: chunked") + "0\r\n\r\n", Bad),
        case("chunked and length", ok("transfer-encoding: chunked\r\ncontent-length: 5") + "0\r\n\r\n", Bad),
        case("two lengths", ok("content-length: 5\r\ncontent-length: 6") + "hello!", Bad),
        case("the same length twice", ok("content-length: 5\r\ncontent-length: 5") + "hello", Bad),
        case("a list of lengths", ok("content-length: 5, 5") + "hello", Bad),
        case("a signed length", ok("content-length: +5") + "hello", Bad),
        case("a negative length", ok("content-length: -5") + "hello", Bad),
        case("a hexadecimal length", ok("content-length: 0x5") + "hello", Bad),
        case("a length with a space", ok("content-length: 5 0") + "hello", Bad),
        case("an empty length", ok("content-length:") + "hello", Bad),
        case("a length beyond all numbers", ok("content-length: 18446744073709551616") + "hello", Bad),
        case("the largest length", ok("content-length: 18446744073709551615") + "hello", Bad),
        case("gzip, chunked", ok("transfer-encoding: gzip, chunked") + "0\r\n\r\n", Bad),
        case(
            "chunked twice",
            ok("transfer-encoding: chunked\r\ntransfer-encoding: chunked") + "0\r\n\r\n",
            Bad,
        ),
        case("identity", ok("transfer-encoding: identity") + "hello", Bad),
        case("xchunked", ok("transfer-encoding: xchunked") + "0\r\n\r\n", Bad),
        case("too few bytes", ok("content-length: 6") + "hello", Bad),
        case("bytes behind a length", ok("content-length: 5") + "hello!", Ended("hello")),
        case("bytes behind no body", ok("content-length: 0") + "!", Ended("")),
        case(
            "an answer behind an answer",
            ok("content-length: 5") + "hello" + &ok("content-length: 0"),
            Ended("hello"),
        ),
        case("until the end", ok("x-a: b") + "hello", Ended("hello")),
    ]
}

fn chunks() -> Vec<Case> {
    use Fate::{Bad, Ended, Kept};
    let chunked = |body: &str| ok("transfer-encoding: chunked") + body;
    vec![
        case("chunks", chunked("5\r\nhello\r\n0\r\n\r\n"), Kept("hello")),
        case("zeros before a size", chunked("0005\r\nhello\r\n000\r\n\r\n"), Kept("hello")),
        case("bytes behind chunks", chunked("5\r\nhello\r\n0\r\n\r\n!"), Ended("hello")),
        case("a size that is none", chunked("x\r\nhello\r\n0\r\n\r\n"), Bad),
        case("an empty size", chunked("\r\nhello\r\n0\r\n\r\n"), Bad),
        case("a size with a prefix", chunked("0x5\r\nhello\r\n0\r\n\r\n"), Bad),
        case("a signed size", chunked("+5\r\nhello\r\n0\r\n\r\n"), Bad),
        case("a negative size", chunked("-5\r\nhello\r\n0\r\n\r\n"), Bad),
        case("two sizes", chunked("5 5\r\nhello\r\n0\r\n\r\n"), Bad),
        case("a space before a size", chunked(" 5\r\nhello\r\n0\r\n\r\n"), Bad),
        case("a size that overflows", chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"), Bad),
        case("the largest size", chunked("ffffffffffffffff\r\nhello\r\n0\r\n\r\n"), Bad),
        case("a size too small", chunked("4\r\nhello\r\n0\r\n\r\n"), Bad),
        case("a size too large", chunked("6\r\nhello\r\n0\r\n\r\n"), Bad),
        case("bare line feeds in chunks", chunked("5\nhello\n0\n\n"), Bad),
        case("a bare line feed behind a size", chunked("5\nhello\r\n0\r\n\r\n"), Bad),
        case("a bare line feed behind a chunk", chunked("5\r\nhello\n0\r\n\r\n"), Bad),
        case("a bare line feed in an extension", chunked("5;a\nb\r\nhello\r\n0\r\n\r\n"), Bad),
        case("a bare line feed at the end", chunked("5\r\nhello\r\n0\r\n\n"), Bad),
        case("a trailer without a colon", chunked("0\r\nnonsense\r\n\r\n"), Bad),
        case("NUL in a trailer", chunked("0\r\nx: \0\r\n\r\n"), Bad),
        case("a trailer that frames", chunked("5\r\nhello\r\n0\r\ncontent-length: 9\r\n\r\n"), Kept("hello")),
        case("no end", chunked("5\r\nhello\r\n"), Bad),
    ]
}

fn endless() -> Vec<Case> {
    use Fate::Bad;
    let chunked = |body: String| ok("transfer-encoding: chunked") + &body;
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    let long = "x".repeat(70_000);
    vec![
        case("an endless head", format!("HTTP/1.1 200 OK\r\n{}", "x: yyyyyyyyyyyyyyy\r\n".repeat(4000)), Bad),
        case("an endless field", ok(&format!("x: {long}\r\ncontent-length: 0")), Bad),
        case("an endless reason", format!("HTTP/1.1 200 {long}\r\n\r\n"), Bad),
        case("too many fields", ok(&"x: y\r\n".repeat(101)), Bad),
        case("a flood of interim answers", interim.repeat(17) + &ok("content-length: 0"), Bad),
        case("an endless size", chunked("0".repeat(5000)), Bad),
        case("an endless extension", chunked(format!("5;{long}\r\nhello\r\n0\r\n\r\n")), Bad),
        case("an endless trailer", chunked(format!("0\r\nx: {long}\r\n\r\n")), Bad),
        case("endless trailers", chunked(format!("0\r\n{}\r\n", "x: yyyyyy\r\n".repeat(5000))), Bad),
    ]
}

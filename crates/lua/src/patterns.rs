//! Lua patterns, matched over bytes in safe Rust, with a meter.
//!
//! Lua's own matcher can take exponential time and runs without hooks, so no budget would stop
//! it. This one means exactly the same (a property test holds it against Lua's own) and asks
//! whether to go on every few hundred steps.

/// Most captures a pattern may have.
const MAX_CAPTURES: usize = 32;
/// How deep matching may recurse.
const MAX_DEPTH: u32 = 200;
/// Steps between two questions to the meter: a few microseconds.
const ASK_EVERY: u32 = 512;

/// Why matching stopped without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatternError {
    EndsWithPercent,
    MissingBracket,
    MissingBalance,
    MissingFrontierSet,
    /// Counted from one.
    CaptureIndex(i32),
    NoCaptureToClose,
    UnfinishedCapture,
    TooManyCaptures,
    TooComplex,
    /// The callback is out of budget.
    Budget,
}

impl PatternError {
    /// Lua's own words for it; for [`PatternError::CaptureIndex`] the part before the number.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::EndsWithPercent => "malformed pattern (ends with '%')",
            Self::MissingBracket => "malformed pattern (missing ']')",
            Self::MissingBalance => "malformed pattern (missing arguments to '%b')",
            Self::MissingFrontierSet => "missing '[' after '%f' in pattern",
            Self::CaptureIndex(_) => "invalid capture index %",
            Self::NoCaptureToClose => "invalid pattern capture",
            Self::UnfinishedCapture => "unfinished capture",
            Self::TooManyCaptures => "too many captures",
            Self::TooComplex => "pattern too complex",
            Self::Budget => "CPU budget used up",
        }
    }
}

type Result<T> = std::result::Result<T, PatternError>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    Open,
    Position,
    Bytes(usize),
}

/// What a capture captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Captured {
    /// From here to there in the subject.
    Range(usize, usize),
    /// A position, counted from one.
    Position(usize),
}

/// A pattern on its way through a subject.
pub(crate) struct Matcher<'a> {
    subject: &'a [u8],
    /// Without its anchor.
    pattern: &'a [u8],
    depth: u32,
    level: usize,
    captures: [(usize, Length); MAX_CAPTURES],
    steps: u32,
    /// Whether the budget is used up.
    exhausted: fn() -> bool,
}

impl<'a> Matcher<'a> {
    pub(crate) fn new(subject: &'a [u8], pattern: &'a [u8], exhausted: fn() -> bool) -> Self {
        let captures = [(0, Length::Open); MAX_CAPTURES];
        Self {
            subject,
            pattern,
            depth: 0,
            level: 0,
            captures,
            steps: 0,
            exhausted,
        }
    }

    /// Matches at `start` and answers where the match ends.
    pub(crate) fn match_at(&mut self, start: usize) -> Result<Option<usize>> {
        self.depth = MAX_DEPTH;
        self.level = 0;
        self.run(start, 0)
    }

    /// The first match at or after `start`.
    pub(crate) fn search(&mut self, start: usize) -> Result<Option<(usize, usize)>> {
        let mut at = start;
        while at <= self.subject.len() {
            let Some(candidate) = self.candidate(at) else {
                return Ok(None);
            };
            at = candidate;
            if let Some(end) = self.match_at(at)? {
                return Ok(Some((at, end)));
            }
            at += 1;
        }
        Ok(None)
    }

    /// Where a match can start: at the next occurrence of the pattern's first byte, if it is one
    /// that stands for itself and has to be there.
    fn candidate(&self, at: usize) -> Option<usize> {
        match *self.pattern {
            [first, ref rest @ ..]
                if !b"^$*+?.([%-)".contains(&first)
                    && !matches!(rest.first(), Some(b'*' | b'?' | b'-')) =>
            {
                memchr::memchr(first, &self.subject[at..]).map(|found| at + found)
            }
            _ => Some(at),
        }
    }

    /// How many values the match of `whole` has: its captures, or itself if it has none.
    pub(crate) fn values(&self, whole: bool) -> usize {
        if self.level == 0 && whole {
            1
        } else {
            self.level
        }
    }

    /// Capture `i`, counted from zero, of the match from `start` to `end`.
    pub(crate) fn capture(&self, i: usize, start: usize, end: usize) -> Result<Captured> {
        if i >= self.level {
            return if i == 0 {
                Ok(Captured::Range(start, end))
            } else {
                Err(PatternError::CaptureIndex(i as i32 + 1))
            };
        }
        match self.captures[i] {
            (_, Length::Open) => Err(PatternError::UnfinishedCapture),
            (at, Length::Position) => Ok(Captured::Position(at + 1)),
            (at, Length::Bytes(length)) => Ok(Captured::Range(at, at + length)),
        }
    }

    fn step(&mut self, weight: usize) -> Result<()> {
        self.steps = self.steps.saturating_add(weight as u32);
        if self.steps >= ASK_EVERY {
            self.steps = 0;
            if (self.exhausted)() {
                return Err(PatternError::Budget);
            }
        }
        Ok(())
    }

    /// The pattern's byte at `p`, and a zero at its end as C strings have it.
    fn pattern_at(&self, p: usize) -> u8 {
        self.pattern.get(p).copied().unwrap_or(0)
    }

    fn subject_at(&self, s: usize) -> u8 {
        self.subject.get(s).copied().unwrap_or(0)
    }

    fn run(&mut self, s: usize, p: usize) -> Result<Option<usize>> {
        if self.depth == 0 {
            return Err(PatternError::TooComplex);
        }
        self.depth -= 1;
        let result = self.items(s, p);
        self.depth += 1;
        result
    }

    /// Matches the pattern's items from `p` on, recursing only where there is a choice.
    fn items(&mut self, mut s: usize, mut p: usize) -> Result<Option<usize>> {
        loop {
            self.step(1)?;
            if p == self.pattern.len() {
                return Ok(Some(s));
            }
            match (self.pattern[p], self.pattern_at(p + 1)) {
                (b'(', b')') => return self.open(s, p + 2, Length::Position),
                (b'(', _) => return self.open(s, p + 1, Length::Open),
                (b')', _) => return self.close(s, p + 1),
                (b'$', _) if p + 1 == self.pattern.len() => {
                    return Ok((s == self.subject.len()).then_some(s));
                }
                (b'%', b'b') => match self.balance(s, p + 2)? {
                    Some(end) => (s, p) = (end, p + 4),
                    None => return Ok(None),
                },
                (b'%', b'f') => match self.frontier(s, p + 2)? {
                    Some(next) => p = next,
                    None => return Ok(None),
                },
                (b'%', digit @ b'0'..=b'9') => match self.back_reference(s, digit)? {
                    Some(end) => (s, p) = (end, p + 2),
                    None => return Ok(None),
                },
                _ => {
                    let end = self.class_end(p)?;
                    let once = self.single(s, p, end);
                    match self.pattern_at(end) {
                        b'?' => {
                            if once && let Some(found) = self.run(s + 1, end + 1)? {
                                return Ok(Some(found));
                            }
                            p = end + 1;
                        }
                        b'+' => {
                            return if once {
                                self.greedy(s + 1, p, end)
                            } else {
                                Ok(None)
                            };
                        }
                        b'*' => return self.greedy(s, p, end),
                        b'-' => return self.lazy(s, p, end),
                        _ if once => (s, p) = (s + 1, end),
                        _ => return Ok(None),
                    }
                }
            }
        }
    }

    fn open(&mut self, s: usize, p: usize, length: Length) -> Result<Option<usize>> {
        if self.level == MAX_CAPTURES {
            return Err(PatternError::TooManyCaptures);
        }
        self.captures[self.level] = (s, length);
        self.level += 1;
        let result = self.run(s, p)?;
        if result.is_none() {
            self.level -= 1;
        }
        Ok(result)
    }

    fn close(&mut self, s: usize, p: usize) -> Result<Option<usize>> {
        let open = (0..self.level)
            .rev()
            .find(|&i| self.captures[i].1 == Length::Open);
        let open = open.ok_or(PatternError::NoCaptureToClose)?;
        self.captures[open].1 = Length::Bytes(s - self.captures[open].0);
        let result = self.run(s, p)?;
        if result.is_none() {
            self.captures[open].1 = Length::Open;
        }
        Ok(result)
    }

    fn balance(&mut self, s: usize, p: usize) -> Result<Option<usize>> {
        if p + 1 >= self.pattern.len() {
            return Err(PatternError::MissingBalance);
        }
        let (begin, end) = (self.pattern[p], self.pattern[p + 1]);
        // At the subject's end C reads its closing zero.
        if self.subject_at(s) != begin {
            return Ok(None);
        }
        let mut open = 1;
        for at in s + 1..self.subject.len() {
            self.step(1)?;
            let byte = self.subject[at];
            if byte == end {
                open -= 1;
                if open == 0 {
                    return Ok(Some(at + 1));
                }
            } else if byte == begin {
                open += 1;
            }
        }
        Ok(None)
    }

    fn frontier(&mut self, s: usize, p: usize) -> Result<Option<usize>> {
        if self.pattern_at(p) != b'[' {
            return Err(PatternError::MissingFrontierSet);
        }
        let end = self.class_end(p)?;
        let before = if s == 0 { 0 } else { self.subject[s - 1] };
        let here = self.subject_at(s);
        Ok((!self.in_set(before, p, end - 1) && self.in_set(here, p, end - 1)).then_some(end))
    }

    fn back_reference(&mut self, s: usize, digit: u8) -> Result<Option<usize>> {
        let i = i32::from(digit) - i32::from(b'1');
        let invalid = PatternError::CaptureIndex(i + 1);
        let index = usize::try_from(i)
            .ok()
            .filter(|i| *i < self.level)
            .ok_or(invalid)?;
        let (at, length) = match self.captures[index] {
            (_, Length::Open) => return Err(invalid),
            // As in C, where such a length is huge and nothing is that long.
            (_, Length::Position) => return Ok(None),
            (at, Length::Bytes(length)) => (at, length),
        };
        self.step(length / 16)?;
        let wanted = &self.subject[at..at + length];
        Ok(self.subject[s..].starts_with(wanted).then_some(s + length))
    }

    /// Where the single-character class at `p` ends.
    fn class_end(&self, p: usize) -> Result<usize> {
        match self.pattern[p] {
            b'%' if p + 1 == self.pattern.len() => Err(PatternError::EndsWithPercent),
            b'%' => Ok(p + 2),
            b'[' => self.set_end(p + 1),
            _ => Ok(p + 1),
        }
    }

    fn set_end(&self, mut p: usize) -> Result<usize> {
        if self.pattern_at(p) == b'^' {
            p += 1;
        }
        // The first byte is in the set even if it is a bracket.
        loop {
            let byte = *self.pattern.get(p).ok_or(PatternError::MissingBracket)?;
            p += 1;
            if byte == b'%' && p < self.pattern.len() {
                p += 1;
            }
            if self.pattern_at(p) == b']' && p < self.pattern.len() {
                return Ok(p + 1);
            }
        }
    }

    /// Whether the subject's byte at `s` is of the class from `p` to `end`.
    fn single(&self, s: usize, p: usize, end: usize) -> bool {
        let Some(&byte) = self.subject.get(s) else {
            return false;
        };
        match self.pattern[p] {
            b'.' => true,
            b'%' => in_class(byte, self.pattern_at(p + 1)),
            b'[' => self.in_set(byte, p, end - 1),
            plain => plain == byte,
        }
    }

    /// Whether `byte` is in the set whose brackets are at `p` and `last`.
    fn in_set(&self, byte: u8, mut p: usize, last: usize) -> bool {
        let positive = self.pattern_at(p + 1) != b'^';
        if !positive {
            p += 1;
        }
        p += 1;
        while p < last {
            let here = self.pattern[p];
            if here == b'%' {
                p += 1;
                if in_class(byte, self.pattern_at(p)) {
                    return positive;
                }
            } else if self.pattern_at(p + 1) == b'-' && p + 2 < last {
                p += 2;
                if (here..=self.pattern[p]).contains(&byte) {
                    return positive;
                }
            } else if here == byte {
                return positive;
            }
            p += 1;
        }
        !positive
    }

    fn greedy(&mut self, s: usize, p: usize, end: usize) -> Result<Option<usize>> {
        let mut count = 0;
        while self.single(s + count, p, end) {
            self.step(1)?;
            count += 1;
        }
        loop {
            if let Some(found) = self.run(s + count, end + 1)? {
                return Ok(Some(found));
            }
            if count == 0 {
                return Ok(None);
            }
            count -= 1;
        }
    }

    fn lazy(&mut self, mut s: usize, p: usize, end: usize) -> Result<Option<usize>> {
        loop {
            if let Some(found) = self.run(s, end + 1)? {
                return Ok(Some(found));
            }
            if !self.single(s, p, end) {
                return Ok(None);
            }
            s += 1;
        }
    }
}

/// Whether `byte` is of the class `%class`; a letter in upper case stands for all others.
fn in_class(byte: u8, class: u8) -> bool {
    let in_it = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'g' => byte.is_ascii_graphic(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => byte.is_ascii_whitespace() || byte == 0x0b,
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return class == byte,
    };
    in_it == class.is_ascii_lowercase()
}

/// Whether a pattern is plain text.
pub(crate) fn is_plain(pattern: &[u8]) -> bool {
    !pattern.iter().any(|b| b"^$*+?.([%-".contains(b))
}

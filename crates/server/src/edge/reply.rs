//! What a frame is answered with.

use serde::Serialize;

/// The answer to a frame: a type and a payload, or nothing. The edge adds the `cid`.
#[derive(Debug)]
pub struct Reply(Option<Answer>);

#[derive(Debug)]
struct Answer {
    kind: &'static str,
    payload: String,
}

impl Reply {
    /// An answer with a payload.
    pub fn new<T: Serialize + ?Sized>(kind: &'static str, payload: &T) -> Self {
        let payload = serde_json::to_string(payload).expect("replies are plain data");
        Self(Some(Answer { kind, payload }))
    }

    /// An answer that says nothing but that it worked.
    pub fn success(kind: &'static str) -> Self {
        let payload = r#"{"success":true}"#.into();
        Self(Some(Answer { kind, payload }))
    }

    /// No answer: the protocol knows none, or it follows later.
    pub fn none() -> Self {
        Self(None)
    }

    /// The frame, if there is one.
    pub fn frame(&self, cid: Option<&str>) -> Option<String> {
        let answer = self.0.as_ref()?;
        Some(asobi_wire::envelope::frame_raw(
            answer.kind,
            cid,
            &answer.payload,
        ))
    }
}

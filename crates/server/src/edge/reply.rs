//! What a frame is answered with.

use serde::Serialize;

/// The answer to a frame: a type and a payload. The edge adds the `cid`.
#[derive(Debug)]
pub struct Reply {
    kind: &'static str,
    payload: String,
}

impl Reply {
    /// An answer with a payload.
    pub fn new<T: Serialize + ?Sized>(kind: &'static str, payload: &T) -> Self {
        let payload = serde_json::to_string(payload).expect("replies are plain data");
        Self { kind, payload }
    }

    /// An answer that says nothing but that it worked.
    pub fn success(kind: &'static str) -> Self {
        Self {
            kind,
            payload: r#"{"success":true}"#.into(),
        }
    }

    /// The frame.
    pub fn frame(&self, cid: Option<&str>) -> String {
        asobi_wire::envelope::frame_raw(self.kind, cid, &self.payload)
    }
}

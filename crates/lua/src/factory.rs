//! Makes matches of a mode.

use asobi_game::logic::{LogicFactory, MatchLogic, MatchSetup, ScriptFault};

use crate::match_logic::LuaMatch;
use crate::settings::LuaSettings;
use crate::source::ScriptSource;

/// Makes the matches of one mode from the scripts as they are at that moment.
pub struct LuaFactory {
    source: ScriptSource,
    script: String,
    settings: LuaSettings,
}

impl LuaFactory {
    /// A factory for the mode whose script is `script`, as [`crate::LoadedManifest::scripts`]
    /// names it.
    pub fn new(source: ScriptSource, script: impl Into<String>, settings: LuaSettings) -> Self {
        Self {
            source,
            script: script.into(),
            settings,
        }
    }
}

impl LogicFactory for LuaFactory {
    fn create(&self, setup: &MatchSetup) -> Result<Box<dyn MatchLogic>, ScriptFault> {
        let logic = LuaMatch::create(&self.source, &self.script, &self.settings, setup)?;
        Ok(Box::new(logic))
    }

    fn restore(
        &self,
        setup: &MatchSetup,
        snapshot: &[u8],
    ) -> Result<Box<dyn MatchLogic>, ScriptFault> {
        let logic = LuaMatch::restore(&self.source, &self.script, &self.settings, setup, snapshot)?;
        Ok(Box::new(logic))
    }
}

//! Makes matches of a mode.

use std::sync::Arc;

use asobi_game::logic::{LocalFuture, LogicFactory, MatchLogic, MatchSetup, ScriptFault};
use asobi_game::services::{NoServices, Services};

use crate::match_logic::LuaMatch;
use crate::settings::LuaSettings;
use crate::source::ScriptSource;

/// Makes the matches of one mode from the scripts as they are at that moment.
pub struct LuaFactory {
    pub(crate) source: ScriptSource,
    pub(crate) script: String,
    pub(crate) settings: LuaSettings,
    pub(crate) services: Arc<dyn Services>,
}

impl LuaFactory {
    /// A factory for the mode whose script is `script`, as [`crate::LoadedManifest::scripts`]
    /// names it.
    pub fn new(source: ScriptSource, script: impl Into<String>, settings: LuaSettings) -> Self {
        Self {
            source,
            script: script.into(),
            settings,
            services: Arc::new(NoServices),
        }
    }

    /// With somebody to ask: what `game.storage` and its like wait for.
    #[must_use]
    pub fn with_services(self, services: Arc<dyn Services>) -> Self {
        Self { services, ..self }
    }
}

impl LogicFactory for LuaFactory {
    fn create<'a>(
        &'a self,
        setup: &'a MatchSetup,
    ) -> LocalFuture<'a, Result<Box<dyn MatchLogic>, ScriptFault>> {
        Box::pin(async move {
            let logic = LuaMatch::create(self, setup).await?;
            Ok(Box::new(logic) as Box<dyn MatchLogic>)
        })
    }

    fn restore(
        &self,
        setup: &MatchSetup,
        snapshot: &[u8],
    ) -> Result<Box<dyn MatchLogic>, ScriptFault> {
        let logic = LuaMatch::restore(self, setup, snapshot)?;
        Ok(Box::new(logic))
    }
}

//! A match whose callbacks wait for a server, which here is a map that answers late.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use asobi_game::logic::{Effect, Input, LogicFactory, MatchLogic, ScriptFault};
use asobi_game::services::{Answer, Answering, Request, Services, StorageRequest};
use asobi_lua::{LuaFactory, LuaSettings, ScriptSet, ScriptSource};
use bytes::Bytes;
use serde_json::Value;

use super::{REST, player, setup};

/// Keeps objects, counts what it is asked, and lets each asker wait for a few polls.
#[derive(Default)]
pub struct Shelf {
    pub objects: Mutex<BTreeMap<String, Bytes>>,
    asked: Mutex<Vec<Request>>,
    delay: Duration,
}

impl Shelf {
    fn carry_out(&self, request: Request) -> Answer {
        self.asked.lock().unwrap().push(request.clone());
        let mut objects = self.objects.lock().unwrap();
        match request {
            Request::Storage(key, StorageRequest::Get) => objects
                .get(&key.key)
                .cloned()
                .ok_or_else(|| "not_found".into()),
            Request::Storage(key, StorageRequest::Set { value, .. }) => {
                objects.insert(key.key, value);
                Ok(Bytes::from_static(br#"{"version":1}"#))
            }
            Request::Notify { to, .. } => Ok(serde_json::to_vec(&to).unwrap().into()),
            other => Err(format!("{other:?}")),
        }
    }
}

pub struct Server(Arc<Shelf>);

impl Services for Server {
    fn ask(&self, request: Request) -> Answering {
        let shelf = Arc::clone(&self.0);
        Box::pin(async move {
            let until = Instant::now() + shelf.delay;
            let mut polls = 0;
            std::future::poll_fn(|_| {
                polls += 1;
                match polls > 2 && Instant::now() >= until {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            })
            .await;
            shelf.carry_out(request)
        })
    }
}

/// Polls until it is ready.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::sleep(Duration::from_micros(50));
    }
}

pub struct Game {
    pub logic: Box<dyn MatchLogic>,
    pub shelf: Arc<Shelf>,
}

impl Game {
    pub fn new(script: &str) -> Self {
        Self::slow(script, Duration::ZERO)
    }

    pub fn slow(script: &str, delay: Duration) -> Self {
        Self::with(script, delay, LuaSettings::default())
    }

    pub fn with(script: &str, delay: Duration, settings: LuaSettings) -> Self {
        let set = ScriptSet::from_files([("match.lua", format!("{script}\n{REST}"))]);
        let shelf = Arc::new(Shelf {
            delay,
            ..Shelf::default()
        });
        let factory = LuaFactory::new(ScriptSource::fixed(set), "match.lua", settings)
            .with_services(Arc::new(Server(Arc::clone(&shelf))));
        Self {
            logic: wait(factory.create(&setup())).unwrap(),
            shelf,
        }
    }

    pub fn tick(&mut self) -> Value {
        self.step(&[])
    }

    pub fn step(&mut self, inputs: &[Input]) -> Value {
        wait(self.logic.step(inputs));
        let Some(asobi_game::logic::View::New(view)) = self.logic.view(&player("a")) else {
            panic!("a new view")
        };
        serde_json::from_slice(&view).unwrap()
    }

    pub fn faults(&mut self) -> Vec<ScriptFault> {
        let effects = self.logic.drain_effects().into_iter();
        effects
            .filter_map(|effect| match effect {
                Effect::Fault(fault) => Some(fault),
                _ => None,
            })
            .collect()
    }

    pub fn asked(&self) -> usize {
        self.shelf.asked.lock().unwrap().len()
    }
}

pub fn input(json: &'static str) -> Input {
    Input {
        player: player("a"),
        payload: Bytes::from_static(json.as_bytes()),
    }
}

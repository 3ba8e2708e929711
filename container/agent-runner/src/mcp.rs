//! The tools over MCP, for harnesses that bring an agent loop of their own.
//!
//! The server is this process: it alone writes `outbound.db`. A harness starts [`shim::run`] as an
//! MCP server over standard input and output, which does nothing but connect it to [`SOCKET`].

pub mod shim;

use std::{
    convert::Infallible,
    fs, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anchorhold_core::sandbox::BIN_DIR;
use camino::Utf8Path;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
        ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
    },
    service::{RequestContext, serve_server},
};
use tokio::{
    net::{UnixListener, UnixStream},
    task::JoinSet,
};

use crate::{
    provider::TurnIo,
    report,
    tools::{self, Spec},
};

/// Where the server listens: in the private `/tmp` of the sandbox.
pub const SOCKET: &str = "/tmp/anchorhold-tools.sock";
/// The name by which harnesses know the server.
pub const NAME: &str = "anchorhold";
/// The argument that makes the program the shim.
pub const ARGUMENT: &str = "mcp";

/// So many connections are served at a time: a harness has one for each of its agents.
const CONNECTIONS_LIMIT: usize = 16;

const INSTRUCTIONS: &str = "The tools by which you reach people and the system you run in.";

/// The command line that a harness starts the server with.
pub fn command() -> [String; 2] {
    [format!("{BIN_DIR}/agent-runner"), ARGUMENT.to_owned()]
}

/// The turn that runs now: what calls of a harness belong to. A clone is the same one.
#[derive(Clone, Debug, Default)]
pub struct CurrentTurn(Arc<Mutex<Option<TurnIo>>>);

impl CurrentTurn {
    /// A turn begins, or a turn begins again.
    pub(crate) fn begin(&self, io: TurnIo) {
        *self.running() = Some(io);
    }

    /// It has ended.
    pub(crate) fn end(&self) {
        *self.running() = None;
    }

    async fn call(&self, tool: &str, arguments: &str) -> Result<String, String> {
        let running = self.running().clone();
        let io = running.ok_or("no turn runs just now, so nothing can be done for it")?;
        let called = io.call(tool, arguments).await;
        called.map_err(|error| report(&error))
    }

    fn running(&self) -> MutexGuard<'_, Option<TurnIo>> {
        // A panic elsewhere leaves nothing half done in here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins to listen at `path`, in the place of what an earlier process left there.
pub fn listen(path: &Utf8Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => UnixListener::bind(path),
    }
}

/// Serves the tools to whoever connects. Dropping the future ends all connections.
pub async fn serve(listener: UnixListener, turn: CurrentTurn) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_ended) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS_LIMIT => match accepted {
                Ok((stream, _peer)) => {
                    connections.spawn(connection(stream, turn.clone()));
                }
                Err(error) => {
                    tracing::warn!(error = %report(&error), "connection for tools not accepted");
                    tokio::task::yield_now().await;
                }
            },
        }
    }
}

async fn connection(stream: UnixStream, turn: CurrentTurn) {
    let served = match Box::pin(serve_server(Handler { turn }, stream.into_split())).await {
        Ok(served) => served,
        Err(error) => {
            tracing::warn!(error = %report(&error), "a harness did not begin as MCP says");
            return;
        }
    };
    if let Err(error) = served.waiting().await {
        tracing::warn!(error = %report(&error), "connection of a harness broke off");
    }
}

#[derive(Clone, Debug)]
struct Handler {
    turn: CurrentTurn,
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new(NAME, env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _all: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let served = tools::specs().iter().filter(|spec| is_served(spec.name));
        Ok(ListToolsResult::with_all_items(served.map(tool).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = &*request.name;
        if !is_served(name) {
            let what = format!("there is no tool {name:?}");
            return Err(ErrorData::invalid_params(what, None));
        }
        let arguments = request.arguments.unwrap_or_default();
        let arguments = serde_json::Value::Object(arguments).to_string();
        let called = tokio::select! {
            called = self.turn.call(name, &arguments) => called,
            () = context.ct.cancelled() => Err("the call was cancelled".to_owned()),
        };
        let content = |text: String| vec![ContentBlock::text(text)];
        let result = match called {
            Ok(text) => CallToolResult::success(content(text)),
            Err(why) => CallToolResult::error(content(format!("error: {why}"))),
        };
        Ok(result.into())
    }
}

/// A harness has hands of its own: it gets only what it could not do itself.
fn is_served(name: &str) -> bool {
    tools::specs().iter().any(|spec| spec.name == name) && !tools::HANDS.contains(&name)
}

fn tool(spec: &Spec) -> Tool {
    let schema = spec.schema.as_object().cloned().unwrap_or_default();
    Tool::new(spec.name, spec.about, schema)
}

#[cfg(test)]
mod tests;

//! Tools over OpenAI's socket: described once, called in pieces of a response, answered by name.

mod scene;

use call::{LegCommand, LegEvent, ReplyId, ToolId, Turns};
use scene::*;
use serde_json::{Value, json};
use wire::{Function, openai::Setup};

/// An item of the first response, complete.
fn call(status: &str, id: &str) -> Value {
    json!({ "type": "response.output_item.done", "response_id": "resp_1", "output_index": 1, "item": {
        "id": "item_F1", "type": "function_call", "status": status, "name": "lookup",
        "call_id": id, "arguments": "{\"order\":7}" } })
}

fn called(id: u32) -> LegEvent {
    let (name, arguments) = ("lookup".into(), "{\"order\":7}".into());
    LegEvent::ToolCalled { reply: ReplyId(1), id: ToolId(id), name, arguments }
}

fn result(id: u32) -> LegCommand {
    LegCommand::ToolResult { id: ToolId(id), result: "{\"ok\":true}".into() }
}

#[test]
fn tools_are_described_in_the_first_update() {
    let tools = vec![Function {
        name: "lookup".into(),
        description: Some("Finds an order.".into()),
        parameters: None,
    }];
    let mut scene = Scene::new(Setup { tools, ..Setup::default() });
    scene.provider(json!({ "type": "session.created" }));
    let session = &scene.frame()["session"];
    let parameters = json!({ "type": "object", "properties": {} });
    let function = json!({ "type": "function", "name": "lookup", "description": "Finds an order.", "parameters": parameters });
    assert_eq!((&session["tools"], &session["tool_choice"]), (&json!([function]), &json!("auto")));
    let mut scene = Scene::new(Setup::default());
    scene.provider(json!({ "type": "session.created" }));
    assert_eq!(scene.frame()["session"].get("tools"), None);
}

#[test]
fn a_complete_call_is_told_and_answered_by_its_name_once() {
    let mut scene = Scene::replying(Turns::Live);
    scene.provider(json!({ "type": "response.output_item.added", "response_id": "resp_1", "item": {
        "id": "item_F1", "type": "function_call", "status": "in_progress", "name": "lookup", "call_id": "call_A1" } }));
    for kind in ["response.function_call_arguments.delta", "response.function_call_arguments.done"] {
        scene.provider(json!({ "type": kind, "response_id": "resp_1", "item_id": "item_F1", "delta": "{" }));
    }
    assert_eq!(scene.events(), []);
    scene.provider(call("completed", "call_A1"));
    scene.provider(call("completed", "call_A2"));
    assert_eq!(scene.events(), [called(1), called(2)]);
    scene.call(result(2));
    let frame = scene.frame();
    assert_eq!(frame["type"], "conversation.item.create");
    assert_eq!(
        frame["item"],
        json!({ "type": "function_call_output", "call_id": "call_A2", "output": "{\"ok\":true}" })
    );
    scene.call(result(2));
    scene.call(result(9));
    assert_eq!(scene.sent(), [""; 0]);
}

#[test]
fn the_agent_goes_on_only_after_the_response_that_called_is_done() {
    let mut scene = Scene::replying(Turns::Live);
    scene.provider(call("completed", "call_A1"));
    scene.call(result(1));
    scene.call(LegCommand::Reply);
    assert_eq!(scene.sent(), ["conversation.item.create"]);
    scene.provider(done("resp_1", "completed"));
    assert_eq!(scene.sent(), ["response.create"]);
}

#[test]
fn a_call_that_was_cut_short_is_no_call() {
    let mut scene = Scene::replying(Turns::Live);
    scene.provider(call("incomplete", "call_A1"));
    let mut message = call("completed", "call_A1");
    message["item"]["type"] = json!("message");
    scene.provider(message);
    scene.provider(json!({ "type": "response.output_item.done", "response_id": "resp_1", "item": {} }));
    assert_eq!(scene.events(), []);
}

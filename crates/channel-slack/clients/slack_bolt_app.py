# pip: slack_bolt==1.30.0 slack_sdk==3.48.0 aiohttp==3.14.5
"""An app on Slack's own framework, over Socket Mode, against the fake workspace.

Called with the address of the Web API, the bot's token and the app's; runs until it is ended.
"""

import asyncio
import sys

import aiohttp
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient


def buttons() -> list:
    elements = [
        {
            "type": "button",
            "action_id": f"pick_{label}",
            "text": {"type": "plain_text", "text": label},
        }
        for label in "ab"
    ]
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "which?"}}
    return [section, {"type": "actions", "elements": elements}]


async def main(base: str, bot_token: str, app_token: str) -> None:
    client = AsyncWebClient(token=bot_token, base_url=f"{base}/")
    app = AsyncApp(client=client, token=bot_token, signing_secret="unused")

    @app.event("app_mention")
    async def named(event, say):
        await say("you named me", thread_ts=event["ts"])

    @app.event("message")
    async def message(event, say, client):
        if event.get("subtype") == "message_changed":
            await say("you edited it")
        elif event.get("files"):
            file = event["files"][0]
            headers = {"Authorization": f"Bearer {bot_token}"}
            async with aiohttp.ClientSession(headers=headers) as session:
                async with session.get(file["url_private_download"]) as answer:
                    content = await answer.read()
            await say(f"{len(content)} bytes")
            await client.files_upload_v2(
                channel=event["channel"],
                content=content,
                filename="back.txt",
                initial_comment="here it is",
            )
        elif event["text"] == "ping":
            info = await client.users_info(user=event["user"])
            await say(f"*pong* {info['user']['real_name']}")
        elif event["text"] == "ask":
            await say("which?", blocks=buttons())

    @app.action("pick_b")
    async def picked(ack, body, client):
        await ack()
        await client.chat_update(
            channel=body["container"]["channel_id"],
            ts=body["container"]["message_ts"],
            text=f"chosen: {body['actions'][0]['text']['text']}",
            blocks=[],
        )

    @app.event("reaction_added")
    async def reacted(event, client):
        item = event["item"]
        await client.reactions_add(
            channel=item["channel"], timestamp=item["ts"], name="tada"
        )
        await client.chat_postMessage(channel=item["channel"], text=event["reaction"])

    await AsyncSocketModeHandler(app, app_token).start_async()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

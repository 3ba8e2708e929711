# pip: python-telegram-bot==22.8
"""A bot on the library that most bots of the world are built with, against the fake server.

Called with the server's address and the token; runs until it is ended.
"""

import sys

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.constants import ParseMode
from telegram.ext import (
    Application,
    CallbackQueryHandler,
    MessageHandler,
    MessageReactionHandler,
    filters,
)


async def text(update: Update, context) -> None:
    message = update.effective_message
    if update.edited_message:
        await message.reply_text("you edited it")
    elif message.text == "ping":
        await context.bot.send_chat_action(
            message.chat_id, "typing", message_thread_id=message.message_thread_id
        )
        await message.reply_text(
            "<b>pong</b>",
            parse_mode=ParseMode.HTML,
            message_thread_id=message.message_thread_id,
        )
    elif message.text == "ask":
        buttons = [[InlineKeyboardButton(label, callback_data=label)] for label in "ab"]
        await message.reply_text("which?", reply_markup=InlineKeyboardMarkup(buttons))


async def document(update: Update, context) -> None:
    file = await update.effective_message.document.get_file()
    content = await file.download_as_bytearray()
    await update.effective_message.reply_text(f"{len(content)} bytes")


async def pressed(update: Update, context) -> None:
    await update.callback_query.answer("thanks")
    await update.callback_query.edit_message_text(f"chosen: {update.callback_query.data}")


async def reacted(update: Update, context) -> None:
    reaction = update.message_reaction
    await context.bot.set_message_reaction(reaction.chat.id, reaction.message_id, "🔥")
    await context.bot.send_message(reaction.chat.id, reaction.new_reaction[0].emoji)


def main(base: str, token: str) -> None:
    application = (
        Application.builder()
        .token(token)
        .base_url(f"{base}/bot")
        .base_file_url(f"{base}/file/bot")
        .build()
    )
    application.add_handler(MessageHandler(filters.Document.ALL, document))
    application.add_handler(MessageHandler(filters.TEXT, text))
    application.add_handler(CallbackQueryHandler(pressed))
    application.add_handler(MessageReactionHandler(reacted))
    application.run_polling(allowed_updates=Update.ALL_TYPES)


if __name__ == "__main__":
    main(*sys.argv[1:])

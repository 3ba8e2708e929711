// npm: discord.js@14.28.1
// A bot on the library that most bots on Discord are built with, against the fake server.
//
// Called with the server's address and the token; runs until it is ended.

const {
  ActionRowBuilder,
  ButtonBuilder,
  ButtonStyle,
  Client,
  Events,
  GatewayIntentBits,
  Partials,
} = require("discord.js");

const [api, token] = process.argv.slice(2);

const client = new Client({
  rest: { api },
  intents: [
    GatewayIntentBits.Guilds,
    GatewayIntentBits.GuildMessages,
    GatewayIntentBits.MessageContent,
    GatewayIntentBits.GuildMessageReactions,
    GatewayIntentBits.DirectMessages,
    GatewayIntentBits.DirectMessageReactions,
  ],
  partials: [Partials.Channel, Partials.Message, Partials.Reaction, Partials.User],
});

function fail(error) {
  console.error(error);
  process.exit(1);
}

client.on(Events.MessageCreate, async (message) => {
  if (message.author.bot) return;
  if (message.attachments.size > 0) {
    const answer = await fetch(message.attachments.first().url);
    const content = await answer.arrayBuffer();
    await message.channel.send(`${content.byteLength} bytes`);
  } else if (message.mentions.has(client.user)) {
    await message.channel.send("you named me");
  } else if (message.content === "ping") {
    await message.channel.sendTyping();
    await message.reply({ content: "**pong**", allowedMentions: { repliedUser: false } });
  } else if (message.content === "file") {
    const attachment = Buffer.from("all is well");
    const files = [{ attachment, name: "report.txt" }];
    await message.channel.send({ content: "here it is", files });
  } else if (message.content === "ask") {
    const button = (label) =>
      new ButtonBuilder().setCustomId(label).setLabel(label).setStyle(ButtonStyle.Primary);
    const row = new ActionRowBuilder().addComponents(button("a"), button("b"));
    await message.channel.send({ content: "which?", components: [row] });
  }
});

client.on(Events.MessageUpdate, async (_before, message) => {
  if (!message.author?.bot) await message.channel.send("you edited it");
});

client.on(Events.InteractionCreate, async (interaction) => {
  await interaction.update({ content: `chosen: ${interaction.customId}`, components: [] });
});

client.on(Events.MessageReactionAdd, async (reaction, user) => {
  if (user.id === client.user.id) return;
  await reaction.message.react("🔥");
  await reaction.message.channel.send(reaction.emoji.name);
});

process.on("unhandledRejection", fail);
client.login(token).catch(fail);

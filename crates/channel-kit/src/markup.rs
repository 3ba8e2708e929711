//! `CommonMark` into a platform's own markup.
//!
//! The text is read by a real parser; what it is made of is laid out here once, for all platforms:
//! paragraphs, lists, tables, rules. A [`Dialect`] only says how characters are written and how spans
//! begin and end, so markup is always well nested and no text can escape from it.
//!
//! What is visible is given as well, for a platform that counts only that.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd, TextMergeStream};

mod table;

use table::Table;

/// Something that is written in a way of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span {
    /// Important text, and headings.
    Strong,
    /// Stressed text.
    Emphasis,
    /// Text that does not hold any more.
    Struck,
    /// Code in a line.
    Code,
    /// Lines of code, with their language where it is told.
    Block(Option<String>),
    /// What somebody else said. Never inside another one.
    Quote,
    /// A link to this URL.
    Link(String),
}

/// A platform's markup.
pub trait Dialect {
    /// Writes characters so that they are seen as they are. `within` is the innermost span.
    fn text(&self, text: &str, within: Option<&Span>, out: &mut String);

    /// Begins a span.
    fn open(&self, span: &Span, out: &mut String);

    /// Ends a span.
    fn close(&self, span: &Span, out: &mut String);

    /// What stands before each further line of a quotation, where each line of it is marked.
    fn quoted_line(&self) -> &'static str {
        ""
    }
}

/// No markup at all, for platforms without and as the last resort.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl Dialect for Plain {
    fn text(&self, text: &str, _within: Option<&Span>, out: &mut String) {
        out.push_str(text);
    }

    fn open(&self, span: &Span, out: &mut String) {
        if *span == Span::Quote {
            out.push_str(self.quoted_line());
        }
    }

    fn close(&self, span: &Span, out: &mut String) {
        if let Span::Link(url) = span {
            out.extend([" (", url, ")"]);
        }
    }

    fn quoted_line(&self) -> &'static str {
        "> "
    }
}

/// A text in a platform's markup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// With its markup.
    pub marked: String,
    /// What of it is visible.
    pub visible: String,
}

/// Renders `CommonMark`, with the tables, the struck text and the task lists of GitHub.
///
/// A line break in a paragraph stays one, as people in chats mean it. Raw HTML is text.
pub fn render(source: &str, dialect: &dyn Dialect) -> Rendered {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut writer = Writer::new(dialect);
    // What is one text is handed on as one, so that a dialect can tell what stands in it.
    for event in TextMergeStream::new(Parser::new_ext(source, options)) {
        writer.event(event);
    }
    writer.finish()
}

/// The tables of a text that stand by themselves: where each is, and what it looks like in columns of
/// equal width, for a platform that shows `CommonMark` and has no tables.
pub fn tables(source: &str) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    let mut table = None;
    let mut depth = 0_usize;
    for (event, range) in Parser::new_ext(source, Options::ENABLE_TABLES).into_offset_iter() {
        if let Event::Start(Tag::BlockQuote(_) | Tag::List(_)) = event {
            depth += 1;
        } else if let Event::End(TagEnd::BlockQuote(_) | TagEnd::List(_)) = event {
            depth = depth.saturating_sub(1);
        } else if let Event::Start(Tag::Table(_)) = event {
            table = (depth == 0).then(Table::default);
        } else if let Event::End(TagEnd::Table) = event {
            let laid_out = table.take().map(|table| table.laid_out());
            found.extend(laid_out.map(|laid_out| (range, laid_out)));
        } else if let Some(table) = &mut table {
            table.event(&event);
        }
    }
    found
}

/// A list that is open.
#[derive(Clone, Copy)]
struct List {
    /// The next item's number, in an ordered one.
    number: Option<u64>,
}

struct Writer<'d> {
    dialect: &'d dyn Dialect,
    marked: String,
    visible: String,
    /// The open spans, each with how much was visible before it.
    spans: Vec<(Span, usize)>,
    lists: Vec<List>,
    quotes: usize,
    /// How many line ends come before the next characters.
    breaks: usize,
    /// Was the last thing that was written the mark of a list's item or of a quotation?
    after_mark: bool,
    table: Option<Table>,
}

impl<'d> Writer<'d> {
    fn new(dialect: &'d dyn Dialect) -> Self {
        Self {
            dialect,
            marked: String::new(),
            visible: String::new(),
            spans: Vec::new(),
            lists: Vec::new(),
            quotes: 0,
            breaks: 0,
            after_mark: false,
            table: None,
        }
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.text(&text),
            Event::Code(code) => {
                self.open(Span::Code);
                self.text(&code);
                self.close();
            }
            Event::SoftBreak | Event::HardBreak => self.text("\n"),
            Event::Rule => {
                self.block();
                self.text("———");
                self.block();
            }
            Event::TaskListMarker(done) => self.text(if done { "☑ " } else { "☐ " }),
            Event::InlineMath(text) | Event::DisplayMath(text) => self.text(&text),
            Event::FootnoteReference(name) => self.text(&format!("[{name}]")),
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph => self.block(),
            Tag::Heading { .. } => {
                self.block();
                self.open(Span::Strong);
            }
            Tag::BlockQuote(_kind) => {
                self.block();
                self.quotes += 1;
                if self.quotes == 1 {
                    self.open(Span::Quote);
                }
            }
            Tag::CodeBlock(kind) => {
                self.block();
                self.open(Span::Block(language(&kind)));
            }
            Tag::List(number) => {
                if self.lists.is_empty() {
                    self.block();
                }
                self.lists.push(List { number });
            }
            Tag::Item => self.item(),
            Tag::Table(_alignment) => {
                self.block();
                self.table = Some(Table::default());
            }
            Tag::TableHead | Tag::TableRow => {
                if let Some(table) = &mut self.table {
                    table.row();
                }
            }
            Tag::TableCell => {
                if let Some(table) = &mut self.table {
                    table.cell();
                }
            }
            Tag::Emphasis => self.open(Span::Emphasis),
            Tag::Strong => self.open(Span::Strong),
            Tag::Strikethrough => self.open(Span::Struck),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.open(Span::Link(dest_url.into_string()));
            }
            Tag::HtmlBlock => self.block(),
            // Of extensions that are not switched on.
            Tag::FootnoteDefinition(_)
            | Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition
            | Tag::MetadataBlock(_)
            | Tag::Superscript
            | Tag::Subscript => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::HtmlBlock => self.block(),
            TagEnd::Heading(_) => {
                self.close();
                self.block();
            }
            TagEnd::CodeBlock => {
                self.close();
                self.block();
            }
            TagEnd::BlockQuote(_) => {
                if self.quotes == 1 {
                    self.breaks = 0;
                    self.close();
                }
                self.quotes = self.quotes.saturating_sub(1);
                self.block();
            }
            TagEnd::List(_) => {
                self.lists.pop();
                if self.lists.is_empty() {
                    self.block();
                }
            }
            TagEnd::Table => {
                if let Some(table) = self.table.take() {
                    self.open(Span::Block(None));
                    self.text(&table.laid_out());
                    self.close();
                }
                self.block();
            }
            TagEnd::Emphasis
            | TagEnd::Strong
            | TagEnd::Strikethrough
            | TagEnd::Link
            | TagEnd::Image => self.close(),
            TagEnd::Item
            | TagEnd::TableHead
            | TagEnd::TableRow
            | TagEnd::TableCell
            | TagEnd::FootnoteDefinition
            | TagEnd::DefinitionList
            | TagEnd::DefinitionListTitle
            | TagEnd::DefinitionListDefinition
            | TagEnd::MetadataBlock(_)
            | TagEnd::Superscript
            | TagEnd::Subscript => {}
        }
    }

    /// What comes next stands in a block of its own: after an empty line, or in a list on a new one.
    fn block(&mut self) {
        if self.after_mark || self.visible.is_empty() {
            return;
        }
        let breaks = if self.lists.is_empty() { 2 } else { 1 };
        self.breaks = self.breaks.max(breaks);
    }

    fn item(&mut self) {
        if !self.visible.is_empty() {
            self.breaks = self.breaks.max(1);
        }
        let depth = self.lists.len().saturating_sub(1);
        let mark = match self.lists.last_mut() {
            Some(List {
                number: Some(number),
            }) => {
                let mark = format!("{number}. ");
                *number = number.saturating_add(1);
                mark
            }
            Some(List { number: None }) | None => "• ".to_owned(),
        };
        self.text(&format!("{}{mark}", "  ".repeat(depth)));
        self.after_mark = true;
    }

    fn text(&mut self, text: &str) {
        if let Some(table) = &mut self.table {
            table.text(text);
            return;
        }
        self.break_lines();
        self.after_mark = false;
        self.write(text);
    }

    fn break_lines(&mut self) {
        let breaks = std::mem::take(&mut self.breaks);
        self.write(&"\n".repeat(breaks));
    }

    /// Writes characters, with what stands before each line of a quotation.
    fn write(&mut self, text: &str) {
        let within = self.spans.last().map(|(span, _)| span);
        let before_line = self.before_line();
        for (at, line) in text.split('\n').enumerate() {
            if at > 0 {
                self.dialect.text("\n", within, &mut self.marked);
                self.marked.push_str(before_line);
            }
            if !line.is_empty() {
                self.dialect.text(line, within, &mut self.marked);
            }
        }
        self.visible.push_str(text);
    }

    fn before_line(&self) -> &'static str {
        let open = |is: fn(&Span) -> bool| self.spans.iter().any(|(span, _)| is(span));
        // The words of a link are one line to some platforms, and end where they do to all.
        if open(|span| *span == Span::Quote) && !open(|span| matches!(span, Span::Link(_))) {
            self.dialect.quoted_line()
        } else {
            ""
        }
    }

    fn open(&mut self, span: Span) {
        if self.table.is_some() {
            return;
        }
        self.break_lines();
        if !self.is_open(&span) {
            self.dialect.open(&span, &mut self.marked);
        }
        // The first paragraph of a quotation stands where the quotation does.
        self.after_mark = span == Span::Quote;
        self.spans.push((span, self.visible.len()));
    }

    fn close(&mut self) {
        if self.table.is_some() {
            return;
        }
        let line_end = format!("\n{}", self.before_line());
        if let Some((span, begin)) = self.spans.pop() {
            // The last line end of a block of code is the block's, not the code's.
            while matches!(span, Span::Block(_))
                && self.visible.len() > begin
                && self.visible.ends_with('\n')
            {
                self.visible.pop();
                if self.marked.ends_with(&line_end) {
                    self.marked.truncate(self.marked.len() - line_end.len());
                }
            }
            if !self.is_open(&span) {
                self.dialect.close(&span, &mut self.marked);
            }
        }
    }

    /// Is the same open already? Important words in a heading are no more important for it, and a
    /// picture that is a link leads where the link does.
    fn is_open(&self, span: &Span) -> bool {
        let both_links = |open: &Span| matches!((open, span), (Span::Link(_), Span::Link(_)));
        let mut open = self.spans.iter().map(|(open, _)| open);
        open.any(|open| open == span || both_links(open))
    }

    fn finish(self) -> Rendered {
        Rendered {
            marked: self.marked,
            visible: self.visible,
        }
    }
}

/// The language of a block of code: the first word of what stands behind its fence.
fn language(kind: &CodeBlockKind<'_>) -> Option<String> {
    match kind {
        CodeBlockKind::Fenced(info) => {
            let word = info.split([' ', ',', '\t']).next()?;
            let plain = |c: char| c.is_ascii_alphanumeric() || "+-#._".contains(c);
            (!word.is_empty() && word.chars().all(plain)).then(|| word.to_owned())
        }
        CodeBlockKind::Indented => None,
    }
}

#[cfg(test)]
mod tests;

-- A history of schema 1 with two rows, as hostnet would have left it.
PRAGMA page_size = 8192;
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    time_ns INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    dataset TEXT NOT NULL,
    action TEXT NOT NULL,
    owner TEXT NOT NULL,
    document TEXT NOT NULL,
    total INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE TABLE chain (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    history TEXT NOT NULL,
    start_id INTEGER NOT NULL,
    start_hash BLOB NOT NULL,
    head_id INTEGER NOT NULL,
    head_hash BLOB NOT NULL,
    total INTEGER NOT NULL
) STRICT;
INSERT INTO event VALUES (1, '0195c8a4-7c00-7000-8000-0000000000aa', 1, 1742810401000000000, '0195c8a4-7c00-7000-8000-000000000001', 'hostnet.health', 'agent-started', '', '{"@timestamp":"2025-03-24T10:00:01.000000000Z","event":{"id":"0195c8a4-7c00-7000-8000-000000000001","sequence":1,"dataset":"hostnet.health","action":"agent-started"},"agent":{"ephemeral_id":"0195c8a4-7c00-7000-8000-0000000000aa"}}', 230, x'3e8f56bb615bafc12a2556f452b50031c6e7d5542ddae1abbad842d62c58f39c');
INSERT INTO event VALUES (2, '0195c8a4-7c00-7000-8000-0000000000aa', 2, 1742810402000000000, '0195c8a4-7c00-7000-8000-000000000002', 'hostnet.health', 'agent-stopped', '', '{"@timestamp":"2025-03-24T10:00:02.000000000Z","event":{"id":"0195c8a4-7c00-7000-8000-000000000002","sequence":2,"dataset":"hostnet.health","action":"agent-stopped"},"agent":{"ephemeral_id":"0195c8a4-7c00-7000-8000-0000000000aa"}}', 460, x'dcdc31c73c172b969a25fccd395b7db1c6e80d3e98a6e61d5f80cc4132fac8f9');
INSERT INTO chain VALUES (1, '0195c8a4-7c00-7000-8000-0000000000ff', 0, x'43bfda15dc50334a8ad085a961f3bb476c428898c95a51fc5db1482336940c51', 2, x'dcdc31c73c172b969a25fccd395b7db1c6e80d3e98a6e61d5f80cc4132fac8f9', 460);
PRAGMA user_version = 1;

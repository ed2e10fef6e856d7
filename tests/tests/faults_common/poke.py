# What the scripts in faults_input.rs begin with: a varlink client that says what it is told to say, sense or not.
import array, json, os, socket, struct, sys, time

BROKER = 'io.usher.Broker.'
INVALID = 'org.varlink.service.InvalidParameter'

def connect():
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(20)
    link.connect('/run/usher/broker')
    return link

def message(method, parameters=None, **envelope):
    envelope['method'] = method if '.' in method else BROKER + method
    if parameters is not None:
        envelope['parameters'] = parameters
    return json.dumps(envelope).encode() + b'\0'

def replies(link):
    """Every reply that comes until usherd closes the connection."""
    text = b''
    while True:
        try:
            more = link.recv(65536)
        except ConnectionResetError:
            more = b''
        text += more
        while b'\0' in text:
            one, _, text = text.partition(b'\0')
            yield json.loads(one)
        if not more:
            assert text == b'', 'half a reply: %r' % text
            return

def ask(raw):
    """The answer to raw bytes on a connection of their own; None if usherd just hung up."""
    link = connect()
    try:
        link.sendall(raw)
    except (BrokenPipeError, ConnectionResetError):
        pass
    try:
        return next(replies(link), None)
    finally:
        link.close()

def call(method, parameters=None, **envelope):
    return ask(message(method, parameters, **envelope))

def refused(raw, error):
    answer = ask(raw)
    assert answer and answer.get('error') == error, '%r was answered %r' % (raw[:200], answer)
    # One line of sense, whatever was sent.
    words = json.dumps(answer)
    assert len(words) < 2000 and '\\u001b' not in words, words
    alive()

def alive():
    answer = call('ListSessions')
    assert 'sessions' in answer['parameters'], answer

def login(**changes):
    """The parameters of a good OpenSession, with changes; None takes one out."""
    good = dict(uid=1001, gid=1001, user='alice', home='/home/alice', shell='/bin/bash', service='poke', type='tty')
    good['class'] = 'user'
    good.update(changes)
    return {name: value for name, value in good.items() if value is not None}

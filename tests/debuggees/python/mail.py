"""A mail server, by aiosmtpd. Prints its port when it listens; ends when it is told to, and says how many mails it has kept."""

import asyncio
import signal

from aiosmtpd.smtp import SMTP


class Mailbox:
    def __init__(self):
        self.kept = []

    async def handle_RCPT(self, server, session, envelope, address, options):
        if not address.endswith("@example.net"):
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        text = envelope.content.decode()
        await asyncio.sleep(0.002)  # BP: moment
        self.kept.append(text)
        return f"250 kept {len(text)}"  # BP: kept


async def main():
    mailbox, over = Mailbox(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    make = lambda: SMTP(mailbox, hostname="mail.example.net", loop=asyncio.get_running_loop())
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await over.wait()  # BP: over
    server.close()
    print("kept", len(mailbox.kept), flush=True)


asyncio.run(main())

import { useStream } from '@feedmill/streams/react'
import { useState } from 'react'
import { logIn, streams } from '../streams.js'

export function App() {
  const [row, setRow] = useState(1)
  const { state: count } = useStream<number>(streams, `row:${row}`)
  const { state: mine, problem } = useStream<number>(streams, 'mine')
  return (
    <>
      <p id="row">{`Row ${row}: ${count ?? '…'}`}</p>
      <button id="next" onClick={() => setRow(row + 1)}>
        Next row
      </button>
      {problem ? (
        <p id="problem">
          {problem.title}{' '}
          <button id="login" onClick={logIn}>
            Log in
          </button>
        </p>
      ) : (
        <p id="mine">{`Mine: ${mine ?? '…'}`}</p>
      )}
    </>
  )
}
